# Libraries that stand in for NVIDIA's: a whole one, an old one, one of the four
# functions that are needed alone, and one that lacks such a function.
foreach(kind whole old bare broken)
  string(TOUPPER "STUB_${kind}" define)
  add_library(nvml_stub_${kind} MODULE gpu/nvml_stub.c)
  target_include_directories(nvml_stub_${kind} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(nvml_stub_${kind} PRIVATE ${define})
  set_target_properties(nvml_stub_${kind} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/gpu)
endforeach()
paddock_unit_test(test_gpu_health unit/test_gpu_health.c paddock_gpu)
paddock_unit_test(test_gpu_pool unit/test_gpu_pool.c paddock_gpu)
target_compile_definitions(test_gpu_pool PRIVATE STUBS="${CMAKE_BINARY_DIR}/tests/gpu")
add_dependencies(test_gpu_pool nvml_stub_whole nvml_stub_old nvml_stub_bare nvml_stub_broken)
