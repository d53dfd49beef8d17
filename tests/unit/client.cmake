paddock_unit_test(test_cli_args unit/test_cli_args.c paddock_client)
paddock_unit_test(test_cli_text unit/test_cli_text.c paddock_client)
paddock_unit_test(test_agent unit/test_agent.c paddock_client)
paddock_unit_test(test_client_http unit/test_client_http.c paddock_client PkgConfig::MICROHTTPD)
