paddock_unit_test(test_fsr unit/test_fsr.c paddock_judge)
paddock_unit_test(test_blocks unit/test_blocks.c paddock_judge)
paddock_unit_test(test_lockstep unit/test_lockstep.c paddock_judge)
paddock_unit_test(test_verdict unit/test_verdict.c paddock_judge)
