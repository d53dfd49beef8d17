paddock_unit_test(test_relay unit/test_relay.c paddock_model)
paddock_unit_test(test_proxy unit/test_proxy.c paddock_proxy Threads::Threads)
paddock_unit_test(test_outside unit/test_outside.c paddock_client)
