/* lockgate for C: firmware updates that are verified before a byte reaches flash. For projects on the ESP8266 vendor's SDK.

   The application downloads a package as it likes and feeds the bytes; each block is authenticated when it is complete, then written and read
   back. Trust rests on the signature alone: the transport may be plain HTTP. README.md beside this file says how to link it.

       lockgate_begin ──> lockgate_feed ... ──> lockgate_finish ──> reset ──> trial ──> lockgate_confirm

   C99 and C++. No other header is needed: the SDK's own define the standard types anew. Not for interrupts; one task at a time. No function keeps a
   pointer that it is given, but for lockgate_begin. Where flash is named as an error, a function of lockgate_flash_t failed. */
#ifndef LOCKGATE_H
#define LOCKGATE_H

#ifdef __cplusplus
extern "C" {
#endif

#define LOCKGATE_SIZE 2388         /* bytes of lockgate_t */
#define LOCKGATE_BLOCK_SIZE 1024   /* the largest block that is taken: lockgate pack --block-size */
#define LOCKGATE_WORKSPACE 512     /* in it, for compressed packages and deltas: a window of 8 at most, lookahead as you like */
#define LOCKGATE_MOST_KEYS 8
#define LOCKGATE_STACK_SIZE 7168   /* bytes of a stack for lockgate_device_t, and the least that is taken */
#define LOCKGATE_FLASH_SIZE 12     /* bytes of the structures below: both sides are held to them while they compile */
#define LOCKGATE_DEVICE_SIZE 68
#define LOCKGATE_STATUS_SIZE 12
#define LOCKGATE_PROGRESS_SIZE 16
#define LOCKGATE_ERROR_SIZE 12

/* What the functions below give: LOCKGATE_OK or an error. The hundreds say what can be done about it. */
enum {
    LOCKGATE_OK = 0,

    /* Go on from lockgate_position(), now or later: the same package can still succeed. */
    LOCKGATE_RETRY = 0x100,
    LOCKGATE_BLOCK_HASH = 0x101,            /* a block is not the one that was signed; found: its number */
    LOCKGATE_TRUNCATED = 0x102,             /* bytes are missing; found: where the package ended */
    LOCKGATE_INTERRUPTED = 0x103,           /* a write was not reported finished, or others wrote records meanwhile */

    /* This package, as it arrived, will not do on this device. Up to LOCKGATE_TRAILER_TOO_LARGE it may have been damaged on its way: fetch it
       again from byte 0, a few times at most. */
    LOCKGATE_REFUSED = 0x200,
    LOCKGATE_NOT_A_PACKAGE = 0x201,
    LOCKGATE_FORMAT_VERSION = 0x202,        /* found, expected */
    LOCKGATE_OBJECT_TYPE = 0x203,           /* found */
    LOCKGATE_TOO_MANY_KEY_SETS = 0x204,
    LOCKGATE_MALFORMED = 0x205,             /* found: the manifest's element, or 0 */
    LOCKGATE_UNKNOWN_ELEMENT = 0x206,       /* found: its number */
    LOCKGATE_BAD_SIGNATURE = 0x207,
    LOCKGATE_TOO_FEW_SIGNATURES = 0x208,    /* found: valid ones by trusted keys; expected: the threshold */
    LOCKGATE_HEAD_TOO_LARGE = 0x209,        /* found: bytes needed; expected: bytes there are */
    LOCKGATE_TRAILER_TOO_LARGE = 0x20a,     /* likewise */
    LOCKGATE_WRONG_VENDOR = 0x20b,
    LOCKGATE_WRONG_CLASS = 0x20c,
    LOCKGATE_WRONG_COMPONENT = 0x20d,       /* found: the package's; expected: 0 */
    LOCKGATE_SECURITY_COUNTER = 0x20e,      /* found: the package's; expected: the device's or more */
    LOCKGATE_DOWNGRADE = 0x20f,             /* its version is below the running one, at the same security counter */
    LOCKGATE_ALREADY_RUNNING = 0x210,       /* up to date */
    LOCKGATE_UNCONFIRMED = 0x211,           /* the running image is on trial: confirm it first */
    LOCKGATE_FAILED_BEFORE = 0x212,         /* the image failed its trial on this device, or was rejected */
    LOCKGATE_IMAGE_TOO_LARGE = 0x213,       /* found: its bytes; expected: bytes of a slot */
    LOCKGATE_BLOCK_TOO_LARGE = 0x214,       /* found: bytes of a block; expected: LOCKGATE_BLOCK_SIZE or less */
    LOCKGATE_ENCODING = 0x215,              /* no decoder for the payload */
    LOCKGATE_LOAD_ADDRESS = 0x216,          /* it names a load address: do not give lockgate pack any */
    LOCKGATE_TRAILING = 0x217,              /* bytes follow the last block; what is before them is in the slot: lockgate_finish */
    LOCKGATE_SUPERSEDED = 0x218,            /* another update was started meanwhile */
    LOCKGATE_NOTHING_STAGED = 0x219,        /* no complete update waits in the slot */
    LOCKGATE_NOT_ON_TRIAL = 0x21a,
    LOCKGATE_WINDOW_TOO_LARGE = 0x21b,      /* compressed for devices with more memory; found: bytes of its window; expected: 256 or less */
    LOCKGATE_WRONG_BASE = 0x21c,            /* a delta of another image than the one that runs: fetch the whole one */
    LOCKGATE_PAYLOAD = 0x21d,               /* it was signed as it is, and cannot be decoded; the slot is void. found: 1 it ends early, 2 something follows,
                                               3 padding, 4 a part is too long, 5 to 7 type, image size or window are not the manifest's, 8 a data format,
                                               9 a number, 10 a negative size, 11 beyond the base image, 12 no window */
    LOCKGATE_OTHER = 0x2ff,

    /* The flash fails. A retry from lockgate_position() erases the sector again, and may meet the same fault. */
    LOCKGATE_FAULT = 0x300,
    LOCKGATE_FLASH = 0x301,                 /* found: what the function of lockgate_flash_t gave, or 0 */
    LOCKGATE_MISMATCH = 0x302,              /* flash does not hold what was written; found: where */
    LOCKGATE_RECORDS = 0x303,               /* the record log cannot be written */
    LOCKGATE_IMAGE_DIGEST = 0x304,          /* the slot does not hold the image that was signed: start with byte 0 */

    /* A mistake in the program. */
    LOCKGATE_BUG = 0x400,
    LOCKGATE_MISUSE = 0x401,                /* this call does not fit now: lockgate_stream_at beyond lockgate_position() */
    LOCKGATE_ARGUMENT = 0x402,              /* a null pointer or function, or a lockgate_t that is not on a word */
    LOCKGATE_NOT_BEGUN = 0x403,             /* lockgate_begin was not called, or was refused */
    LOCKGATE_KEYS = 0x404                   /* not 1 to 8 different keys and a threshold of 1 to their number */
};

/* Whether the same package can succeed if it is fed again from lockgate_position(). */
static inline int lockgate_retry_helps(int error) { return (error & ~0xff) == LOCKGATE_RETRY; }

/* A text of at most 40 characters, in English, in RAM, for any number. A member of the archive of its own: who does not call it does not
   pay its 1,000 bytes. */
const char *lockgate_error_text(int error);

/* The SDK's functions, or others that do the same: addresses and sizes in bytes, all multiples of 4, sectors of 4096 bytes, 0 for success.
   In C, `{ spi_flash_read, spi_flash_write, spi_flash_erase_sector }`; in C++ each needs a reinterpret_cast, since SpiFlashOpResult is a type of its own
   there. `read` must not give what a cache holds, and the SDK's protection (spi_flash_erase_protect_enable) must be off. */
typedef struct lockgate_flash {
    unsigned (*read)(unsigned address, unsigned *to, unsigned size);
    unsigned (*write)(unsigned address, unsigned *from, unsigned size);
    unsigned (*erase_sector)(unsigned short sector);
} lockgate_flash_t;

/* The device, and whom it believes. May be const, but must lie in RAM (as constants do, without ICACHE_RODATA_ATTR). The keys stay where they are as long as
   a lockgate_t is in use that was begun with them; the rest is copied. */
typedef struct lockgate_device {
    unsigned char vendor[16];            /* UUIDs, bytes in the order of their text: those of lockgate pack */
    unsigned char device_class[16];
    const unsigned char (*keys)[64];     /* P-256 public keys, x and y, big-endian */
    unsigned key_count;                  /* 1 to 8 */
    unsigned threshold;                  /* how many of them must have signed */
    lockgate_flash_t flash;
    void (*feed_watchdog)(void);         /* or null. Called before each flash operation, and before and after each signature check; calls nothing here */
    unsigned *stack;                     /* or null, for a task whose own is large enough. On a word, nobody else's meanwhile: the work is done on it, */
    unsigned stack_size;                 /*   since the SDK's has 5 KiB in all, and a signature check needs more. LOCKGATE_STACK_SIZE or more */
} lockgate_device_t;

/* Memory for one update, its block buffer and workspace included: static or from the heap, on a word. Neither copied nor moved after lockgate_begin;
   to end with it, stop using it. */
typedef struct lockgate {
    unsigned opaque[LOCKGATE_SIZE / 4];
} lockgate_t;

typedef struct lockgate_progress {
    unsigned received;   /* bytes of the package that need not be sent again */
    unsigned package;    /* bytes of the package, once its manifest is accepted; 0 before */
    unsigned written;    /* bytes of the image that are in the slot, read back */
    unsigned image;      /* bytes of the image, once its manifest is accepted; 0 before */
} lockgate_progress_t;

typedef struct lockgate_error {
    unsigned code;
    unsigned found;      /* what disagrees, where the list above says so */
    unsigned expected;
} lockgate_error_t;

enum { LOCKGATE_SLOT_A = 0, LOCKGATE_SLOT_B = 1 };

enum {
    LOCKGATE_CONFIRMED = 0,              /* the running image is confirmed */
    LOCKGATE_ON_TRIAL = 1,               /* unless it is confirmed, the old image comes back after its attempts */
    LOCKGATE_REVERTED = 2                /* it is the confirmed one, and runs again because the update did not stay */
};

enum {
    LOCKGATE_REVERTED_NOT_CONFIRMED = 1, /* in the attempts it had */
    LOCKGATE_REVERTED_INVALID = 2,       /* it did not verify when it was to start */
    LOCKGATE_REVERTED_REJECTED = 3,      /* lockgate_reject */
    LOCKGATE_REVERTED_FALLBACK = 4,      /* the confirmed image did not verify any more; the one in the other slot did */
    LOCKGATE_REVERTED_FOREIGN = 5
};

enum {
    LOCKGATE_UPDATE_NONE = 0,
    LOCKGATE_UPDATE_RECEIVING = 1,       /* it arrives, or is complete and was not finished */
    LOCKGATE_UPDATE_PENDING = 2,         /* it will be tried at the next reset */
    LOCKGATE_UPDATE_ON_TRIAL = 3
};

typedef struct lockgate_status {
    unsigned security_counter;           /* packages with a lower one are refused */
    unsigned char slot;                  /* LOCKGATE_SLOT_... that runs */
    unsigned char reason;                /* LOCKGATE_CONFIRMED, ... */
    unsigned char attempt;               /* on trial: this attempt, from 1 */
    unsigned char attempts;              /* on trial: how many there are */
    unsigned char reverted;              /* reverted: LOCKGATE_REVERTED_... */
    unsigned char update;                /* LOCKGATE_UPDATE_... */
    unsigned char recorded;              /* 0: there is no record log, and this is what the boot stage would take for granted */
    unsigned char reserved;
} lockgate_status_t;

/* Figures: "stack" is what a call needs, of lockgate_device_t's stack or the caller's, measured under emulation with the flash functions of the example;
   with a stack of its own a call needs 400 bytes of the caller's. "Takes" is for 80 MHz and common flash, estimated from its data sheet and from
   instructions counted under emulation; nothing was timed on a chip. */

/* Why the running image runs, and what became of the last update. Writes nothing.
   Errors: LOCKGATE_ARGUMENT, LOCKGATE_KEYS. Stack: 2304 bytes. Takes: some 10 ms. */
int lockgate_status(const lockgate_device_t *device, lockgate_status_t *status);

/* Keeps the image on trial, and raises the security counter to its own. Call it once the application has shown that it works: reached its
   server, read its sensor. Confirmed already, it changes nothing. A power cut leaves it confirmed or on trial.
   Errors: LOCKGATE_NOT_ON_TRIAL after lockgate_reject; flash. Stack: 2752 bytes. Takes: some 10 ms, an erase at times. */
int lockgate_confirm(const lockgate_device_t *device);

/* Gives the image on trial up: the next reset brings the old one back, and this image is refused from then on. A power cut leaves it rejected or
   on trial. Errors: LOCKGATE_NOT_ON_TRIAL; flash. Stack and time as lockgate_confirm. */
int lockgate_reject(const lockgate_device_t *device);

/* Begins an update in this memory, or begins again. Reads and writes no flash yet. After lockgate_confirm or lockgate_reject, not before: a session
   that has read the records relies on them.
   Errors: LOCKGATE_ARGUMENT, LOCKGATE_KEYS. Stack: 1696 bytes. Takes: less than 1 ms. */
int lockgate_begin(lockgate_t *update, const lockgate_device_t *device);

/* Takes the next bytes of the package, a piece of any size, from RAM. All are taken; at an error, what is behind it in the piece is not: stop this
   download, and let the next begin at lockgate_position(). Nothing is erased or written before signatures, vendor, class, counter, version and size are right.
   A power cut leaves the running image as it was; the same package, fed again from byte 0 after a reset, goes on at the last of the checkpoints that are
   kept every 8192 bytes.
   Errors: all up to LOCKGATE_SUPERSEDED; flash. Stack: 5504 bytes, for the signature check, which is in the call that brings the last byte of the
   signatures; the SDK's own stack has 5 KiB, see README.md.
   Takes: about a second for each signature (47 million instructions); for a block of 1024 bytes 20 ms, and up to 400 ms (45 ms usually) where a sector
   is to be erased. A piece that holds several blocks takes as often as long: 1460 bytes or less are good. */
int lockgate_feed(lockgate_t *update, const void *bytes, unsigned length);

/* The offset in the package of the next byte that is wanted, now and after any error: where an HTTP Range begins. 0 if nothing was begun. */
unsigned lockgate_position(lockgate_t *update);

/* Says that the next byte fed has this offset: bytes before lockgate_position() are passed over. For servers that know no Range (0).
   Errors: LOCKGATE_MISUSE if it is beyond lockgate_position(). */
int lockgate_stream_at(lockgate_t *update, unsigned offset);

/* Says that the connection was lost. What is not authenticated yet, at most a head or a block, is forgotten and will be wanted again; call it
   before lockgate_position(). Errors: LOCKGATE_NOT_BEGUN. */
int lockgate_disconnected(lockgate_t *update);

/* Starts over with byte 0 of a package: of the same, which goes on where its slot is filled, or of another. For when the server has a newer one,
   or the same block is refused again and again. Errors: LOCKGATE_NOT_BEGUN. */
int lockgate_restart(lockgate_t *update);

/* The package is at its end: hashes the slot, and asks the boot stage to try the image at the next reset. Reset then (system_restart).
   A power cut leaves it asked or not; if not, lockgate_staged makes up for it.
   Errors: LOCKGATE_TRUNCATED if bytes are missing: they may still be fed; LOCKGATE_IMAGE_DIGEST; LOCKGATE_SUPERSEDED; flash. Stack: 4544 bytes.
   Takes: 0.2 to 0.5 s for 100 KiB of image (108 instructions for a byte). */
int lockgate_finish(lockgate_t *update);

/* As lockgate_finish, for an update whose last byte arrived before a reset, but whose lockgate_finish did not return. Call it after lockgate_begin if
   lockgate_status says LOCKGATE_UPDATE_RECEIVING, and download if it gives an error.
   Errors: LOCKGATE_NOTHING_STAGED; those of lockgate_feed and lockgate_finish. Stack: 5904 bytes. Takes: as the signature checks and
   lockgate_finish. */
int lockgate_staged(lockgate_t *update);

/* How far the update is. Errors: LOCKGATE_NOT_BEGUN, LOCKGATE_ARGUMENT. */
int lockgate_progress(lockgate_t *update, lockgate_progress_t *progress);

/* The outcome of the last lockgate_feed, _stream_at, _finish or _staged, with the values that disagree. Gives its code, too. */
int lockgate_last_error(lockgate_t *update, lockgate_error_t *error);

/* For who starts the vendor's SDK by lockgate's boot stage, in the archive, not to be called from C (README.md, "Linking"):
   lockgate_start           the program's entry, in front of the SDK's call_user_start
   Cache_Read_Enable_New    instead of the SDK's: shows the megabyte that the boot stage has shown
   lockgate_panicked        stops until the watchdog resets; called if the library has a mistake. The project's own goes first. */

typedef char lockgate_size_of_flash[sizeof(lockgate_flash_t) == LOCKGATE_FLASH_SIZE ? 1 : -1];
typedef char lockgate_size_of_device[sizeof(lockgate_device_t) == LOCKGATE_DEVICE_SIZE ? 1 : -1];
typedef char lockgate_size_of_status[sizeof(lockgate_status_t) == LOCKGATE_STATUS_SIZE ? 1 : -1];
typedef char lockgate_size_of_progress[sizeof(lockgate_progress_t) == LOCKGATE_PROGRESS_SIZE ? 1 : -1];
typedef char lockgate_size_of_error[sizeof(lockgate_error_t) == LOCKGATE_ERROR_SIZE ? 1 : -1];
typedef char lockgate_size_of_update[sizeof(lockgate_t) == LOCKGATE_SIZE ? 1 : -1];

#ifdef __cplusplus
}
#endif
#endif
