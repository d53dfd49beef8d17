paddock_unit_test(test_search unit/test_search.c paddock_agent)
paddock_unit_test(test_formats unit/test_formats.c paddock_agent)
paddock_unit_test(test_prompt unit/test_prompt.c paddock_agent)
paddock_unit_test(test_roles unit/test_roles.c paddock_agent)
target_compile_definitions(
  test_roles PRIVATE AGENT_CONFIGS="${PROJECT_SOURCE_DIR}/orchestrator/agent/configs")
