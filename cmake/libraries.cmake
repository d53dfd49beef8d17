# Libraries from Debian, found by pkg-config. A missing one names its package.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(paddock_library name module package)
  pkg_check_modules(${name} IMPORTED_TARGET GLOBAL ${module})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "Paddock needs ${module}: apt-get install ${package}")
  endif()
endfunction()

paddock_library(SECCOMP libseccomp libseccomp-dev)
paddock_library(CAP libcap libcap-dev)
paddock_library(YAJL yajl libyajl-dev)
paddock_library(NETTLE nettle nettle-dev)
paddock_library(ARCHIVE libarchive libarchive-dev)
paddock_library(CURL libcurl libcurl4-gnutls-dev)
paddock_library(MICROHTTPD libmicrohttpd libmicrohttpd-dev)
paddock_library(SQLITE sqlite3 libsqlite3-dev)
paddock_library(GIT2 libgit2 libgit2-dev)
if(PADDOCK_TESTS)
  paddock_library(CMOCKA cmocka libcmocka-dev)
endif()

# The launcher is linked statically; yajl's archive has its own name in Debian.
add_library(paddock_yajl INTERFACE)
if(PADDOCK_SANITIZE)
  target_link_libraries(paddock_yajl INTERFACE PkgConfig::YAJL)
else()
  target_link_libraries(paddock_yajl INTERFACE yajl_s m)
endif()

# By name, so that a static program gets the archive and a dynamic one the library.
add_library(paddock_nettle INTERFACE)
target_link_libraries(paddock_nettle INTERFACE nettle)
target_include_directories(paddock_nettle INTERFACE ${NETTLE_INCLUDE_DIRS})
