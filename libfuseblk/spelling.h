/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spelling.h: volumes on which a name may be given in more than one spelling,
 * under a kernel whose cache of names compares bytes.
 *
 * Only the stored spelling of a name is ever told to the kernel with a long
 * timeout.  So what a request does by another spelling can leave a wrong
 * entry in the cache: that of the stored spelling.  The kernel is told to drop
 * it.  Until it has, and for a second more for those who have just passed by
 * the entry, the inode is marked:
 *  - its attributes are void (told before the reply) and stay so: replies
 *    give them no timeout;
 *  - GETATTR of it, which every use of the wrong entry then begins with, and
 *    SETATTR of what has no name left, are answered ESTALE, on which the kernel walks the path again and looks every
 *    name of it up; a caller that has just looked the inode up, and one that uses
 *    a descriptor, is answered as usual.
 * Directories need none of this: the kernel keeps one name for each.
 *
 * Not found is an entry that only a descriptor opened with O_PATH, or a mount
 * on a file, keeps in use for longer than that.
 */
#ifndef FB_SPELLING_H
#define FB_SPELLING_H

#include "node.h"
#include "request.h"

struct fb_spelling;

/* For a session over a volume that is case_insensitive; on others there is nothing to do. Returns 0, -ENOMEM, -EAGAIN. */
int fb_spelling_start(struct fb_session *s);
/* The volume is about to be closed, and no request uses it any more: joins the thread, which looks at nodes. */
void fb_spelling_halt(struct fb_session *s);
/* No request is served any more and the channel has ended. */
void fb_spelling_stop(struct fb_session *s);

enum fb_stale_kind {
	FB_STALE_REMOVED,	/* the stored spelling of @name, whose inode loses that name */
	FB_STALE_MOVED,		/* the stored spelling of @name; the inode goes on under another */
	FB_STALE_GIVEN,		/* @name itself, if another spelling is stored in the end */
};
/*
 * With @dir locked, before the change: prepare to void the entry that @name in
 * @dir has made the kernel keep for @node.  Nothing if it keeps none; @respelled: @name is not how it
 * is stored.  Returns 0, -ENOMEM or what ->spelling did.
 */
int fb_stale_prepare(struct fb_request *req, struct fuseblk_node *dir, const struct fb_name *name,
		     struct fuseblk_node *node, enum fb_stale_kind kind, bool respelled);
/* The change has been made, or (@done false) has not; @dir and @node still locked. @given: those of kind GIVEN hold too. */
void fb_stale_settle(struct fb_request *req, bool done, bool given);
/* Before and after the reply, with no lock held: what the kernel is told then. */
void fb_stale_tell(struct fb_request *req);
void fb_stale_send(struct fb_request *req);

/* May GETATTR or SETATTR of @ino be answered? 0 or -ESTALE. No lock held. */
int fb_stale_check(struct fb_request *req, uint64_t ino);
bool fb_stale_is_marked(struct fb_session *s, uint64_t ino);
/* The caller has just looked @ino up. */
void fb_stale_found(struct fb_request *req, uint64_t ino);
/* Whoever has looked @ino up did so for something else than to look at it, or before it lost that name. */
void fb_stale_forget_finders(struct fb_session *s, uint64_t ino);
/* @ino is the number of a new inode: marks of the one that had it before are void. */
void fb_stale_reused(struct fb_session *s, uint64_t ino);

/*
 * LOOKUP is also sent without the directory's lock, so that its reply could
 * arrive after the entry was voided and make it good again.  begin, right
 * before the reply is encoded, takes the timeout away if an entry was voided
 * since fb_spelling_epoch() was taken (under the directory's lock); until end
 * none is.
 */
uint64_t fb_spelling_epoch(const struct fb_session *s);
void fb_spelling_reply_begin(struct fb_request *req);
void fb_spelling_reply_end(struct fb_request *req);

#endif
