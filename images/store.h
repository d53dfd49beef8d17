/*
 * The image store: root filesystems by the digest of the tarball they came
 * from, and names for them.
 *
 *     <store>/rootfs/<sha256>/      an unpacked root filesystem
 *     <store>/names/<name>.json     {"digest", "bytes", "files", "imported_at", "source"}
 *     <store>/lock                  shared by imports, exclusive for gc
 *
 * The image "host" is the machine's own /usr and always there. This header
 * needs no libarchive except for image_import() (library paddock_images); the
 * rest is in paddock_image_store, which a static program can link.
 */
#ifndef PADDOCK_IMAGES_STORE_H
#define PADDOCK_IMAGES_STORE_H

#include "common/digest.h"
#include "common/error.h"
#include "common/json.h"

#include <stddef.h>
#include <stdint.h>

struct image {
    char *name;     /* NULL when it was asked for by digest and no name is known */
    char *location; /* what a spec's `image` takes: "host" or an absolute path */
    char digest[DIGEST_HEX];
    uint64_t bytes, files; /* 0 for "host" */
    char *imported_at;     /* RFC 3339; NULL for "host" */
    char *source;          /* where it was imported from; NULL for "host" */
};

void image_clear(struct image *image);
#define _cleanup_image_ __attribute__((cleanup(image_clear)))
/* {"name", "digest", "location", "bytes", "files", "imported_at", "source"} */
void image_encode(const struct image *image, struct json_writer *w, const char *key);

/* Imports the tarball of a root filesystem (tar, plain or compressed) under
 * `name`, replacing what that name stood for. The image's digest is that of the
 * tarball's bytes. Creates the store when absent. Any number of imports may run
 * at once. After an error nothing is left. */
int image_import(const char *store, const char *tarball, const char *name, struct image *out,
                 struct error *err);

/* Finds an image by name, "host", digest or "sha256:<digest>". */
int image_resolve(const char *store, const char *ref, struct image *out, struct error *err);

/* All images by name, "host" first, the rest sorted. */
int image_list(const char *store, struct image **out, size_t *count, struct error *err);
void image_list_free(struct image *images, size_t count);

/* Forgets a name; its files stay until image_gc(). By digest: forgets every
 * name of it. ERROR_NOT_FOUND when unknown. */
int image_remove(const char *store, const char *ref, struct error *err);

struct image_gc_stats {
    uint64_t images; /* root filesystems removed */
    uint64_t bytes;  /* of their files */
};
/* Removes root filesystems that no name and no digest in `keep` (NULL or a
 * NULL-terminated list) stands for, and what killed imports left. ERROR_BUSY
 * while an import is under way. */
int image_gc(const char *store, char *const *keep, struct image_gc_stats *stats, struct error *err);

#endif
