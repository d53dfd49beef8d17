paddock_unit_test(test_archive unit/test_archive.c paddock_images)
