paddock_unit_test(test_spec unit/test_spec.c paddock_sandbox)
paddock_unit_test(test_result unit/test_result.c paddock_sandbox)
