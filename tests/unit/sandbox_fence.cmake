paddock_unit_test(test_spec unit/test_spec.c paddock_sandbox)
paddock_unit_test(test_result unit/test_result.c paddock_sandbox)
paddock_unit_test(test_listener unit/test_listener.c paddock_sandbox_fence)
target_compile_definitions(test_listener PRIVATE TEST_POLICIES="${CMAKE_BINARY_DIR}/policies")
