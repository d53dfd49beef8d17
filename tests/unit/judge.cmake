paddock_unit_test(test_fsr unit/test_fsr.c paddock_judge)
