# paddock-gpu-gauge, where nvcc is: the only program of CUDA here, and not needed. Without
# it runs on a GPU are timed all the same, but nobody looks whether the GPU stayed the
# same, or wipes its memory (orchestrator/gpu/gauge.cu).
find_program(PADDOCK_NVCC nvcc)
if(NOT PADDOCK_NVCC)
  message(STATUS "nvcc is not installed: no paddock-gpu-gauge, runs on a GPU are not gauged")
  return()
endif()

# The architectures of a data centre, and PTX for those to come. nvcc takes warnings of the
# host's compiler through -Xcompiler; its own headers would not pass this project's.
set(paddock_gpu_gauge ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/paddock-gpu-gauge)
add_custom_command(
  OUTPUT ${paddock_gpu_gauge}
  COMMAND
    ${PADDOCK_NVCC} -O3 -std=c++17 -cudart static -gencode arch=compute_80,code=sm_80 -gencode
    arch=compute_90,code=sm_90 -gencode arch=compute_90,code=compute_90 -o ${paddock_gpu_gauge}
    ${CMAKE_SOURCE_DIR}/orchestrator/gpu/gauge.cu
  DEPENDS ${CMAKE_SOURCE_DIR}/orchestrator/gpu/gauge.cu
  COMMENT "Compiling paddock-gpu-gauge with nvcc"
  VERBATIM)
add_custom_target(paddock-gpu-gauge ALL DEPENDS ${paddock_gpu_gauge})
install(PROGRAMS ${paddock_gpu_gauge} DESTINATION bin)
