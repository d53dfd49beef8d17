paddock_unit_test(test_task unit/test_task.c paddock_tasks)
paddock_unit_test(test_split unit/test_split.c paddock_tasks)
