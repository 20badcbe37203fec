/*
 * What the models of the escrow share.
 *
 * A step of a model is a part of the C that holds a slot's spinlock, or another
 * that others can see, and has the name of the function there;
 * docs/internals.md lists them.
 *
 * "#define NAME MISTAKE(n, r)" in a model is a mistake that could be made in the
 * C. It is made when the model runs with MISTAKE=n in its environment, and
 * test/model/check proves that run r (RUN=r) finds it. INSIDE() looks further
 * than any user could and is not asked then: a mistake is found by its harm.
 */
c_decl {
	\#include <stdlib.h>
}
byte mistake;
byte run_number;
#define READ_MISTAKE c_code { \
	now.mistake = getenv("MISTAKE") ? atoi(getenv("MISTAKE")) : 0; \
	now.run_number = getenv("RUN") ? atoi(getenv("RUN")) : 1; \
}
#define MISTAKE(number, run) (mistake == number)
#define INSIDE(condition) assert(mistake != 0 || (condition))

#define TXNS 3
#define POOLS 2
#define NOBODY TXNS

/* A row of a pool's table and the claims on it: as a new snapshot sees them. */
typedef Table {
	byte capacity;
	byte claims
};

typedef Slot {
	bool used;
	byte pins;
	byte capacity;
	short remaining;
	byte in_flight
};

/* EscrowEntry, and apart from it what a savepoint may yet roll back. */
typedef Sums {
	byte taken;
	short pending;
	byte in_flight;
	short capacity
};
