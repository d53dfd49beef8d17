paddock_unit_test(test_task unit/test_task.c paddock_tasks)
paddock_unit_test(test_import unit/test_import.c paddock_tasks)
paddock_unit_test(test_split unit/test_split.c paddock_tasks)

# The task's own examiner, compiled as its examine phase does.
add_executable(collatz_verify ${PROJECT_SOURCE_DIR}/tasks/catalog/collatz/examine/verify.c)
target_link_libraries(collatz_verify PRIVATE paddock_options)
set_target_properties(
  collatz_verify PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/helpers)
paddock_unit_test(test_task_collatz unit/test_task_collatz.c paddock_common)
target_compile_definitions(
  test_task_collatz PRIVATE VERIFY_PROGRAM="$<TARGET_FILE:collatz_verify>")
add_dependencies(test_task_collatz collatz_verify)
