paddock_unit_test(test_error unit/test_error.c paddock_common)
paddock_unit_test(test_json unit/test_json.c paddock_common)
