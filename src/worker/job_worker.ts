/**
 * The program of the job thread: it does the merges and flushes that `job_thread.ts` asks for, with
 * the same code that does them in the stores' own thread. It has its own file system, readers and
 * handles, and knows only what comes with the jobs.
 *
 * Jobs run in slices (job_queue.ts); between two it checks for messages. While there is nothing to
 * do the thread sleeps in its event loop.
 *
 * wasm/build_job_worker.ts makes one text from this file and its imports; nothing else imports it.
 */

import { compressorFor } from "../compression/compressors.ts";
import { ClosedError } from "../errors.ts";
import { newestSequence, spanOf } from "../memtable/newest_entries.ts";
import { defaultFileSystem } from "../platform/default_file_system.ts";
import { WORKER_SLICE_MS } from "../platform/pacing.ts";
import { systemScheduler } from "../platform/system_scheduler.ts";
import { RunningTask, type Task } from "../platform/task.ts";
import { openThreadPort } from "../platform/thread_port.ts";
import { watchedLock } from "../platform/watched_lock.ts";
import { TableBufferPool } from "../sstable/table_buffers.ts";
import { fencedFileSystem } from "../version/fenced_file_system.ts";
import { FileNumbers } from "../version/file_numbers.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import { writeTable } from "../compaction/flush_job.ts";
import {
  compactionFrom,
  type JobAnswer,
  type JobRequest,
  type JobSettings,
  plainError,
  plainTable,
} from "./job_messages.ts";
import { JobQueue } from "./job_queue.ts";
import { mergeJob } from "../compaction/merge_job.ts";
import type { TableOutputOptions } from "../compaction/table_output.ts";

interface Job {
  readonly id: number;
  readonly isFlush: boolean;
  readonly task: RunningTask<readonly TableMetadata[]>;
}

const jobs = new JobQueue<Job>();
const buffers = new TableBufferPool();
const port = openThreadPort((message) => {
  accept(message as JobRequest);
  work();
});

function optionsOf(settings: JobSettings): TableOutputOptions {
  const { directory, compression, compressionLevel, blockSizeBytes, bloomFalsePositiveRate, lock } =
    settings;
  const fileSystem = defaultFileSystem({ fileMode: settings.fileMode });
  return {
    fileSystem: lock === undefined
      ? fileSystem
      : fencedFileSystem(fileSystem, directory, watchedLock(lock)),
    directory,
    compressor: compressorFor(compression, compressionLevel),
    blockSizeBytes,
    bloomFalsePositiveRate,
    buffers,
  };
}

function work(): void {
  for (let job = jobs.next(); job !== undefined; job = jobs.next()) {
    job.task.driveSync(systemScheduler, WORKER_SLICE_MS);
    if (job.task.isSettled) finish(job);
    for (let next = port.receive(); next !== undefined; next = port.receive()) {
      accept(next.message as JobRequest);
    }
  }
}

function accept(request: JobRequest): void {
  if (request.kind === "cancel") {
    const job = jobs.find(({ id }) => id === request.id);
    // A job that is not there has just ended: its answer is on the way.
    if (job === undefined) return;
    job.task.cancel(new ClosedError("store"));
    jobs.remove(job);
    port.post({ id: job.id, kind: "cancelled" } satisfies JobAnswer);
    return;
  }
  const isFlush = request.kind === "flush";
  const task = isFlush ? flush(request) : merge(request);
  // Every step is done at once here, so none can fail later.
  jobs.add({ id: request.id, isFlush, task: new RunningTask(task, () => {}) });
}

function merge(
  { settings, compaction }: JobRequest & { kind: "merge" },
): Task<readonly TableMetadata[]> {
  const numbers = new FileNumbers(settings.directory, settings.fileNumbers);
  return mergeJob(compactionFrom(compaction), optionsOf(settings), () => numbers.take());
}

function* flush(
  { settings, entries, fileNumber, valueLog }: JobRequest & { kind: "flush" },
): Task<readonly TableMetadata[]> {
  const table = yield* writeTable(
    newestSequence(entries),
    entries.spans.map(spanOf),
    optionsOf(settings),
    () => fileNumber,
    { sizes: valueLog && new Map([[valueLog.number, valueLog.sizeBytes]]) },
  );
  return table === undefined ? [] : [table];
}

function finish(job: Job): void {
  jobs.remove(job);
  port.post(answerOf(job));
}

function answerOf({ id, task }: Job): JobAnswer {
  try {
    return { id, kind: "done", tables: task.result.map(plainTable) };
  } catch (error) {
    return { id, kind: "failed", error: plainError(error) };
  }
}
