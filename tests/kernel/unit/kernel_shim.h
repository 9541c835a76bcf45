/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_shim.h: the little of the kernel that queue.c, negotiate.c and
 * dirent.c use, for one thread in user space.  Nothing here waits: a lock that
 * is taken twice or released unheld, a reference count that goes below nothing
 * or comes back from it, a list that does not hang together end the program
 * with a line that says so.
 */
#ifndef KERNEL_SHIM_H
#define KERNEL_SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define U32_MAX UINT32_MAX

/* For sparse. */
#define __acquires(lock)
#define __releases(lock)
#define __must_hold(lock)

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, value) __atomic_store_n(p, value, __ATOMIC_RELEASE)

/* Prints where and what, and aborts. */
_Noreturn void shim_bug(const char *what, const void *of);

/* ---- spinlocks: kernel_shim.c ------------------------------------------------ */

typedef struct spinlock {
	u32 state;
} spinlock_t;

void spin_lock_init(spinlock_t *lock);
void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
/* How many are held. */
unsigned int shim_locks_held(void);
/* Called after each spin_unlock(), where another thread may come between; NULL: nothing is. */
extern void (*shim_unlocked)(void);

/* ---- reference counts ---------------------------------------------------------- */

typedef struct {
	int count;
} refcount_t;

static inline void refcount_set(refcount_t *refs, int n)
{
	refs->count = n;
}

static inline int refcount_read(const refcount_t *refs)
{
	return refs->count;
}

static inline void refcount_inc(refcount_t *refs)
{
	if (refs->count <= 0)
		shim_bug("a reference to what is gone", refs);
	refs->count++;
}

static inline bool refcount_dec_and_test(refcount_t *refs)
{
	if (refs->count <= 0)
		shim_bug("a reference dropped that nobody has", refs);
	return --refs->count == 0;
}

/* ---- lists: a ring through its head ---------------------------------------------- */

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name) { &(name), &(name) }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define list_entry(p, type, member) container_of(p, type, member)
#define list_first_entry(head, type, member) container_of((head)->next, type, member)
#define list_next_entry(at, member) container_of((at)->member.next, __typeof__(*(at)), member)

#define list_for_each_entry(at, head, member) \
	for (at = container_of((head)->next, __typeof__(*(at)), member); &at->member != (head); \
	     at = list_next_entry(at, member))
/* @at may be unlinked by the loop's body. */
#define list_for_each_entry_safe(at, after, head, member) \
	for (at = container_of((head)->next, __typeof__(*(at)), member), after = list_next_entry(at, member); \
	     &at->member != (head); at = after, after = list_next_entry(at, member))

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void shim_check_link(const struct list_head *link)
{
	if (link->next->prev != link || link->prev->next != link)
		shim_bug("a broken list", link);
}

static inline void shim_insert(struct list_head *link, struct list_head *before)
{
	shim_check_link(before);
	link->prev = before->prev;
	link->next = before;
	before->prev->next = link;
	before->prev = link;
}

static inline void list_add(struct list_head *link, struct list_head *head)
{
	shim_insert(link, head->next);
}

static inline void list_add_tail(struct list_head *link, struct list_head *head)
{
	shim_insert(link, head);
}

static inline void list_del_init(struct list_head *link)
{
	shim_check_link(link);
	link->prev->next = link->next;
	link->next->prev = link->prev;
	INIT_LIST_HEAD(link);
}

static inline void list_move_tail(struct list_head *link, struct list_head *head)
{
	list_del_init(link);
	list_add_tail(link, head);
}

#endif
