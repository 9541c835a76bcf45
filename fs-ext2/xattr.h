/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xattr.h: extended attributes inside the driver: the pure functions on an
 * area of entries (xattr_entry.c), the three places attributes are kept in
 * (xattr_ibody.c, xattr_block.c, xattr_inode.c), the planner that chooses among
 * them (xattr_set.c) and what acl.c and xattr.c need of it.
 *
 * Layout facts: the kernel's Documentation/filesystems/ext4/attributes.rst,
 * hashes and the inode form checked against images made by the kernel.
 */
#ifndef E2_XATTR_H
#define E2_XATTR_H

#include "ext2.h"

#define E2_XATTR_MAGIC		0xEA020000u
#define E2_XATTR_HEADER_SIZE	32u	/* of a block; an inode's area has the 4 bytes of magic only */
#define E2_XATTR_ENTRY_SIZE	16u
#define E2_XATTR_VALUE_MAX	65536u	/* the VFS's limit */
#define E2_XATTR_NAME_MAX	255u

enum e2_xattr_index {
	E2_XATTR_USER = 1,
	E2_XATTR_ACL_ACCESS = 2,
	E2_XATTR_ACL_DEFAULT = 3,
	E2_XATTR_TRUSTED = 4,
	E2_XATTR_SECURITY = 6,
	E2_XATTR_SYSTEM = 7,
};

struct e2_xattr_entry {
	uint8_t e_name_len, e_name_index;
	e2_le16 e_value_offs;
	e2_le32 e_value_inum, e_value_size, e_hash;
	char e_name[];
};
_Static_assert(sizeof(struct e2_xattr_entry) == 16, "xattr entry layout");

struct e2_xattr_header {
	e2_le32 h_magic, h_refcount, h_blocks, h_hash, h_checksum;
	e2_le32 h_reserved[3];
};
_Static_assert(sizeof(struct e2_xattr_header) == 32, "xattr header layout");

/* One attribute. Pointers lead into the area it was read from, or are the caller's. */
struct e2_xattr_item {
	uint8_t index, name_len;
	const char *name;
	const uint8_t *value;	/* NULL where the value is in inode @inum, or absent */
	uint32_t size;		/* of the value, bytes */
	uint32_t inum;		/* inode that holds the value, or 0 */
	uint32_t hash;		/* e_hash; of the value alone where given to e2_xattr_rebuild() with @inum */
};

/*
 * A run of bytes with entries growing up from @first and values packed down
 * from @size; value offsets count from @bytes.  @bytes NULL: no attributes.
 */
struct e2_xattr_area {
	const uint8_t *bytes;
	uint32_t first, size;
	bool block;		/* entries sorted and hashed */
};

/* ---- xattr_entry.c: pure ------------------------------------------------- */
/* Is every entry and every value inside the area?  NULL if so, else what is wrong, for a message. */
const char *e2_xattr_check(const struct e2_xattr_area *area);
/* The entry at *@pos (start with area->first) of a checked area; moves *@pos on. False at the end. */
bool e2_xattr_next(const struct e2_xattr_area *area, uint32_t *pos, struct e2_xattr_item *item);
bool e2_xattr_find(const struct e2_xattr_area *area, uint8_t index, const char *name,
		   size_t len, struct e2_xattr_item *item);
/*
 * Write to @dst (area->size bytes, of which those below area->first are
 * left alone) the area with the attribute of @change's name replaced by it,
 * added if absent, or removed if @remove.  Returns 0, or -ENOSPC with @dst
 * undefined.  @dst must not overlap the area.
 */
int e2_xattr_rebuild(const struct e2_xattr_area *area, const struct e2_xattr_item *change,
		     bool remove, uint8_t *dst);
/* Greatest value @name could have in this area, or -ENOSPC if not even an empty one. */
ssize_t e2_xattr_room(const struct e2_xattr_area *area, uint8_t index, const char *name, size_t len);
bool e2_xattr_is_empty(const struct e2_xattr_area *area);
/* h_hash over the entries of a block's area. */
uint32_t e2_xattr_block_hash(const struct e2_xattr_area *area);
/* Lay out the header of a new block. */
void e2_xattr_header_init(uint8_t *block);
void e2_xattr_header_set_hash(uint8_t *block, uint32_t size);

/* ---- the places ------------------------------------------------------------ */
struct e2_xattr_ibody {
	struct e2_xattr_area area;
	size_t off;		/* of the area's magic in the inode; 0: no room for attributes */
	uint8_t *copy;		/* magic and area, to the inode's end; malloc'ed */
};
/* The attributes inside the inode. Node S.  Returns 0, -EIO, -EUCLEAN, -ENOMEM; fini always. */
int e2_xattr_ibody_load(struct e2_inode *ei, struct e2_xattr_ibody *ib);
void e2_xattr_ibody_fini(struct e2_xattr_ibody *ib);
/* Write the area (area.size bytes) back, with its magic, or zeros if it is empty. Fails only where the inode is not pinned. */
int e2_xattr_ibody_store(struct e2_inode *ei, const struct e2_xattr_ibody *ib, const uint8_t *bytes, unsigned phase);

struct e2_xattr_block {
	struct e2_xattr_area area;	/* bytes NULL: none */
	struct fuseblk_buf *buf;
};
int e2_xattr_block_load(struct e2_inode *ei, struct e2_xattr_block *bl);
void e2_xattr_block_fini(struct e2_xattr_block *bl);
/*
 * Make @bytes (a whole block; NULL: none any more) the inode's block.
 * prepare does what can fail (allocation) and apply the rest, in @phase
 * (FRESH: only where nothing is referred to anew); abort undoes prepare.  C, X.
 */
struct e2_xattr_switch {
	struct fuseblk_buf *fresh;	/* the new block; NULL: in place, or none wanted */
	bool in_place;
};
int e2_xattr_block_prepare(struct e2_inode *ei, struct e2_xattr_block *bl, bool keep, struct e2_xattr_switch *sw);
int e2_xattr_block_apply(struct e2_inode *ei, struct e2_xattr_block *bl, struct e2_xattr_switch *sw,
			 const uint8_t *bytes, unsigned phase);
void e2_xattr_block_abort(struct e2_inode *ei, struct e2_xattr_switch *sw);

/* The dead inode's block goes: free it, or leave it to the others that share it. C. */
int e2_xattr_block_release(struct e2_inode *ei, struct e2_xattr_block *bl, bool *was_last);

/* The value in inode @item->inum.  Returns 0, -EUCLEAN, -EIO... */
int e2_xattr_inode_read(struct e2_inode *ei, const struct e2_xattr_item *item, void *value);
/* A new inode with the value; @item gets inum and hash. C. */
int e2_xattr_inode_create(struct e2_inode *ei, const void *value, size_t size, struct e2_xattr_item *item,
			  struct fuseblk_node **node);
/* One reference less; at none, the inode is dead and freed. C. */
int e2_xattr_inode_drop(struct e2_inode *ei, uint32_t inum);

/* ---- xattr_set.c ------------------------------------------------------------ */
/* @value NULL: remove.  Flags FUSEBLK_XATTR_*. Does not touch ctime. C, X. */
int e2_xattr_set(struct e2_inode *ei, uint8_t index, const char *name, size_t len,
		 const void *value, size_t size, uint32_t flags);
/* The phase in which the attributes of @ei must now change, at least @phase. Remembers it. */
unsigned e2_xattr_phase(struct e2_inode *ei, unsigned phase);

/* ---- xattr.c ------------------------------------------------------------------ */
ssize_t e2_xattr_get(struct e2_inode *ei, uint8_t index, const char *name, size_t len, void *value, size_t size);

/* ---- acl.c ------------------------------------------------------------------ */
/* The wire's form (linux/posix_acl_xattr.h) from the disk's. Returns the size; as getxattr. */
ssize_t e2_acl_to_wire(const uint8_t *disk, size_t disk_size, uint8_t *wire, size_t size);
/* ... and back. -EINVAL if it is not a valid ACL. @disk: at least size bytes. */
ssize_t e2_acl_from_wire(const uint8_t *wire, size_t size, uint8_t *disk, size_t disk_size);
ssize_t e2_acl_get(struct e2_inode *ei, uint8_t index, void *value, size_t size);
int e2_acl_set(struct e2_inode *ei, uint8_t index, const void *value, size_t size, uint32_t flags);

#endif
