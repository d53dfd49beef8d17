# What the shipped policies say and do is read from the build's copies of them.
foreach(test load filter calls programs shrink words learn)
  paddock_unit_test(test_policy_${test} unit/test_policy_${test}.c paddock_policies)
  target_compile_definitions(test_policy_${test}
                             PRIVATE TEST_POLICIES="${CMAKE_BINARY_DIR}/policies")
endforeach()
