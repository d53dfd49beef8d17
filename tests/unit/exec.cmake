paddock_unit_test(test_exec unit/test_exec.c paddock_exec)
