paddock_unit_test(test_search unit/test_search.c paddock_agent)
