/* Errors in a few words. The switch is code and stays in flash; the texts are read by bytes, and are in RAM. */
#include "../include/lockgate.h"

const char *lockgate_error_text(int error) {
    switch (error) {
    case LOCKGATE_OK: return "no error";
    case LOCKGATE_BLOCK_HASH: return "block is not the one that was signed";
    case LOCKGATE_TRUNCATED: return "package ends early";
    case LOCKGATE_INTERRUPTED: return "a write was interrupted";
    case LOCKGATE_NOT_A_PACKAGE: return "not a package";
    case LOCKGATE_FORMAT_VERSION: return "unknown format version";
    case LOCKGATE_OBJECT_TYPE: return "unknown object type";
    case LOCKGATE_TOO_MANY_KEY_SETS: return "too many key sets";
    case LOCKGATE_MALFORMED: return "malformed";
    case LOCKGATE_UNKNOWN_ELEMENT: return "unknown manifest element";
    case LOCKGATE_BAD_SIGNATURE: return "signature does not verify";
    case LOCKGATE_TOO_FEW_SIGNATURES: return "not signed by enough trusted keys";
    case LOCKGATE_HEAD_TOO_LARGE: return "manifest and signatures too large";
    case LOCKGATE_TRAILER_TOO_LARGE: return "manifest and signatures too large";
    case LOCKGATE_WRONG_VENDOR: return "for another vendor";
    case LOCKGATE_WRONG_CLASS: return "for another class";
    case LOCKGATE_WRONG_COMPONENT: return "for another component";
    case LOCKGATE_SECURITY_COUNTER: return "security counter too low";
    case LOCKGATE_DOWNGRADE: return "older version";
    case LOCKGATE_ALREADY_RUNNING: return "running already";
    case LOCKGATE_UNCONFIRMED: return "running image is on trial";
    case LOCKGATE_FAILED_BEFORE: return "failed on this device before";
    case LOCKGATE_IMAGE_TOO_LARGE: return "image too large";
    case LOCKGATE_BLOCK_TOO_LARGE: return "blocks too large";
    case LOCKGATE_ENCODING: return "unknown encoding";
    case LOCKGATE_LOAD_ADDRESS: return "linked for another address";
    case LOCKGATE_TRAILING: return "bytes follow the package";
    case LOCKGATE_SUPERSEDED: return "another update was started";
    case LOCKGATE_NOTHING_STAGED: return "no complete update in the slot";
    case LOCKGATE_NOT_ON_TRIAL: return "not on trial";
    case LOCKGATE_WINDOW_TOO_LARGE: return "compressed for more memory";
    case LOCKGATE_WRONG_BASE: return "delta of another image";
    case LOCKGATE_PAYLOAD: return "cannot be decoded";
    case LOCKGATE_FLASH: return "flash operation failed";
    case LOCKGATE_MISMATCH: return "flash does not hold what was written";
    case LOCKGATE_RECORDS: return "records cannot be written";
    case LOCKGATE_IMAGE_DIGEST: return "image is not the one that was signed";
    case LOCKGATE_MISUSE: return "call does not fit now";
    case LOCKGATE_ARGUMENT: return "bad argument";
    case LOCKGATE_NOT_BEGUN: return "nothing was begun";
    case LOCKGATE_KEYS: return "bad keys or threshold";
    default: return "other";
    }
}
