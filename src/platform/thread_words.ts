/**
 * The words of shared memory by which a thread and its host see each other without messages:
 * whether the thread is up, whether it makes progress, and whether there is a message to fetch.
 * Both sides include this file.
 *
 *     0  SIGNAL  counts the thread's messages and changes of state; the host waits on it
 *     1  STATE   0 not up yet, 1 up, 2 ended
 *     2  BEATS   counts the slices of work that the thread has begun
 */

/** Index of the word that the host waits on. */
export const SIGNAL = 0;
/** Index of the thread's state. */
export const STATE = 1;
/** Index of the count of slices. */
export const BEATS = 2;
/** The number of words. */
export const WORD_COUNT = 3;

/** The thread takes messages. */
export const STATE_UP = 1;
/** The thread has ended or is about to. */
export const STATE_ENDED = 2;
