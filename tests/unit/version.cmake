paddock_unit_test(test_edit unit/test_edit.c paddock_version)
paddock_unit_test(test_diff unit/test_diff.c paddock_version)
