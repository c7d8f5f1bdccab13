/**
 * The program of the job thread: does the merges and flushes that `job_thread.ts` asks for, with the same
 * code that does them in the store's own thread. It has a file system, readers and handles of its own.
 *
 * Jobs run in slices; between two it looks for messages. A flush goes first: writers wait for it. While
 * there is nothing to do the thread sleeps in its event loop.
 *
 * wasm/build_job_worker.ts makes one text of this file and what it imports; nothing else imports it.
 */

import { compressorFor } from "../compression/compressors.ts";
import { ClosedError } from "../errors.ts";
import { newestSequence } from "../memtable/newest_entries.ts";
import { defaultFileSystem } from "../platform/default_file_system.ts";
import { systemScheduler } from "../platform/system_scheduler.ts";
import { RunningTask, type Task } from "../platform/task.ts";
import { openThreadPort } from "../platform/thread_port.ts";
import { watchedLock } from "../platform/watched_lock.ts";
import { TableBufferPool } from "../sstable/table_buffers.ts";
import { fencedFileSystem } from "../version/fenced_file_system.ts";
import { FileNumbers } from "../version/file_numbers.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import { writeTable } from "./flush_job.ts";
import {
  compactionFrom,
  type JobAnswer,
  type JobRequest,
  type JobThreadData,
  plainError,
  plainTable,
} from "./job_messages.ts";
import { mergeJob } from "./merge_job.ts";
import type { TableOutputOptions } from "./table_output.ts";

/** How long a flush that has just been asked for may wait for a merge. */
const SLICE_MS = 2;

interface Job {
  readonly id: number;
  readonly isFlush: boolean;
  readonly task: RunningTask<readonly TableMetadata[]>;
}

const jobs: Job[] = [];
const port = openThreadPort((message) => {
  accept(message as JobRequest);
  work();
});
const { settings } = port.data as JobThreadData;
const { directory, lock } = settings;
const fileSystem = defaultFileSystem();
const options: TableOutputOptions = {
  fileSystem: lock === undefined
    ? fileSystem
    : fencedFileSystem(fileSystem, directory, watchedLock(lock)),
  directory,
  compressor: compressorFor(settings.compression, settings.compressionLevel),
  blockSizeBytes: settings.blockSizeBytes,
  bloomFalsePositiveRate: settings.bloomFalsePositiveRate,
  buffers: new TableBufferPool(),
};
const fileNumbers = new FileNumbers(directory, settings.fileNumbers);
const newFileNumber = (): number => fileNumbers.take();

function work(): void {
  while (jobs.length > 0) {
    const job = jobs.find(({ isFlush }) => isFlush) ?? jobs[0]!;
    job.task.driveSync(systemScheduler, SLICE_MS);
    if (job.task.isSettled) finish(job);
    for (let next = port.receive(); next !== undefined; next = port.receive()) {
      accept(next.message as JobRequest);
    }
  }
}

function accept(request: JobRequest): void {
  if (request.kind === "cancel") {
    const job = jobs.find(({ id }) => id === request.id);
    // One that is not there has ended just now: its answer is on the way.
    if (job === undefined) return;
    job.task.cancel(new ClosedError("store"));
    drop(job);
    port.post({ id: job.id, kind: "cancelled" } satisfies JobAnswer);
    return;
  }
  const isFlush = request.kind === "flush";
  const task = isFlush
    ? flush(request)
    : mergeJob(compactionFrom(request.compaction), options, newFileNumber);
  // Every step is done at once here, so none can fail later.
  jobs.push({ id: request.id, isFlush, task: new RunningTask(task, () => {}) });
}

function* flush(
  { entries, fileNumber }: JobRequest & { kind: "flush" },
): Task<readonly TableMetadata[]> {
  const table = yield* writeTable(newestSequence(entries), options, () => fileNumber);
  return table === undefined ? [] : [table];
}

function finish(job: Job): void {
  drop(job);
  port.post(answerOf(job));
}

function answerOf({ id, task }: Job): JobAnswer {
  try {
    return { id, kind: "done", tables: task.result.map(plainTable) };
  } catch (error) {
    return { id, kind: "failed", error: plainError(error) };
  }
}

function drop(job: Job): void {
  jobs.splice(jobs.indexOf(job), 1);
}
