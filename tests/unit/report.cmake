paddock_unit_test(test_report_stats unit/test_report_stats.c paddock_report m)
paddock_unit_test(test_report_change unit/test_report_change.c paddock_report m)
paddock_unit_test(test_report_worth unit/test_report_worth.c paddock_report m)
paddock_unit_test(test_report_page unit/test_report_page.c paddock_report m)
