/**
 * The permission bits of new files and directories: those of the owner alone, or those that the
 * user asked for. The system removes the bits of the umask, as for any file. The library never
 * changes a mode.
 */

/** Who may do what with new files and directories: POSIX permission bits. */
export interface FileModes {
  /** Of files. Default 0600. */
  readonly fileMode?: number | undefined;
  /** Of directories. Default 0700. */
  readonly directoryMode?: number | undefined;
}

/** Of files, by default. */
export const DEFAULT_FILE_MODE = 0o600;
/** Of directories, by default. */
export const DEFAULT_DIRECTORY_MODE = 0o700;
