paddock_unit_test(test_error unit/test_error.c paddock_common)
paddock_unit_test(test_json unit/test_json.c paddock_common)
paddock_unit_test(test_file unit/test_file.c paddock_common)
paddock_unit_test(test_common unit/test_common.c paddock_common)
