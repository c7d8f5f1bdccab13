/**
 * The permission bits that files and directories are made with: those of the owner alone, or those that the
 * user asked for. The system takes off what the umask says, as from any file. No mode is ever changed.
 */

/** Who may do what with the files and directories that are made: POSIX permission bits. */
export interface FileModes {
  /** Of files. Default 0600. */
  readonly fileMode?: number | undefined;
  /** Of directories. Default 0700. */
  readonly directoryMode?: number | undefined;
}

/** Of files, if nothing else is asked for. */
export const DEFAULT_FILE_MODE = 0o600;
/** Of directories, if nothing else is asked for. */
export const DEFAULT_DIRECTORY_MODE = 0o700;
