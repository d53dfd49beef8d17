paddock_unit_test(test_fsr unit/test_fsr.c paddock_judge)
paddock_unit_test(test_fsr_coverage unit/test_fsr_coverage.c paddock_judge)
paddock_unit_test(test_blocks unit/test_blocks.c paddock_judge)
paddock_unit_test(test_lockstep unit/test_lockstep.c paddock_judge)
paddock_unit_test(test_verdict unit/test_verdict.c paddock_judge)
paddock_unit_test(test_lockstep_exam unit/test_lockstep_exam.c paddock_judge)
target_compile_definitions(
  test_lockstep_exam PRIVATE EXAMINE_PROGRAM="$<TARGET_FILE:paddock-examine>")
add_dependencies(test_lockstep_exam paddock-examine)
