import { counted, formatBytes, formatTime } from '../../contract/quantities.ts';
import type { Config } from '../../config/config.ts';
import { skipFault } from '../../contract/faults.ts';
import { isSurelyOurs } from '../../mirror/judge/fold.ts';
import type { FileId, Garbage } from '../../contract/types.ts';
import { printable } from '../../contract/shown-text.ts';
import { askedApi } from '../asked-api.ts';
import type { Context } from '../context.ts';
import { printFacts } from '../io.ts';
import { oneShotListener } from '../one-shot.ts';
import { stopOnSignals } from '../stop-signals.ts';
import { aligned, type Row } from '../../service/table.ts';
import { defineVerb, jsonOption } from '../verb.ts';

/** A remote file that this mirror made, or (`never deleted`) may have made, and that no path has. */
interface Orphan extends Garbage {
  readonly id: FileId;
  /** What becomes of it by itself. */
  readonly state: 'kept aside' | 'never deleted' | 'being deleted' | 'cannot be deleted' | 'in use';
  /** Who still uses it, in words: it is not deleted before; null: nobody. */
  readonly usedBy: string | null;
}

/** What `orphans delete --json` prints. */
interface Deletion {
  readonly version: 1;
  readonly deleted: number;
  /** Handed to the daemon, which deletes them in the background. */
  readonly deleting: number;
}

export const verb = defineVerb({
  operands: '[action]',
  positionals: {
    action: { choices: ['delete'], describe: 'delete: delete these remote files now, and no others' },
  },
  options: jsonOption,
  async run({ action, json }, context) {
    const { config } = await context.loadConfig();
    if (action === 'delete') {
      const deletion = await deleteThem(config, context);
      return await printFacts(context.io, json, deletion, deletionText(deletion));
    }
    const { orphans, made } = await orphansOf(config, context);
    await printFacts(context.io, json, { version: 1, orphans, made }, listText(orphans, made.length));
  },
});

/** `made`: files of batches, e.g. answers, which are no orphans: `batches.cleanUp` says what becomes of them. */
async function orphansOf(
  config: Config,
  context: Context,
): Promise<{ readonly orphans: readonly Orphan[]; readonly made: readonly FileId[] }> {
  const { readState, usesOf } = await context.compose();
  const { garbage, batches } = await readState(config.stateDir);
  const uses = usesOf(batches);
  const orphans = Array.from(garbage, ([id, each]) => {
    const usedBy = uses.userOf(id);
    const state = stateOf(each, config);
    return {
      id,
      ...each,
      state: usedBy !== null && state === 'being deleted' ? ('in use' as const) : state,
      usedBy,
    };
  });
  return { orphans, made: [...uses.made()] };
}

function stateOf(garbage: Garbage, config: Config): Orphan['state'] {
  if (!isSurelyOurs(garbage)) return 'never deleted';
  if (!config.api.deletes) return 'cannot be deleted';
  return garbage.hold ? 'kept aside' : 'being deleted';
}

async function deleteThem(config: Config, context: Context): Promise<Deletion> {
  if (!config.api.deletes) {
    throw skipFault(
      'cannot-delete',
      'api.deletes is false: this server cannot delete, so nothing was asked; set it to true if it can by now',
    );
  }
  const daemon = await context.findDaemon(config);
  if (daemon !== null) return { version: 1, deleted: 0, deleting: await daemon.deleteOrphans() };
  const { apiKey, isEmulator, config: asked } = await askedApi(context);
  const listener = await oneShotListener(context, apiKey);
  const { deleteOrphans } = await context.compose();
  using stop = stopOnSignals();
  const options = { config: asked, apiKey, isEmulator, listener, verb: context.verb };
  return { version: 1, deleted: await deleteOrphans(options, stop.signal), deleting: 0 };
}

function listText(orphans: readonly Orphan[], made: number): string {
  const ofBatches =
    made === 0
      ? ''
      : `${counted(made, 'remote file')} of batches (answers, errors, lines that were tried again): kept, see batches.cleanUp\n`;
  if (orphans.length === 0) return `no orphans\n${ofBatches}`;
  const rows = orphans.map(({ id, path, purpose, bytes, since, reason, state, usedBy }): Row => [
    printable(id),
    usedBy === null ? state : `in use by ${printable(usedBy)}`,
    reason,
    printable(purpose),
    formatBytes(bytes),
    formatTime(since),
    printable(path),
  ]);
  return `${aligned(rows)}\n${ofBatches}`;
}

function deletionText({ deleted, deleting }: Deletion): string {
  if (deleting > 0) return `${counted(deleting, 'remote file')} being deleted by the daemon\n`;
  return deleted === 0 ? 'no orphans\n' : `deleted ${counted(deleted, 'remote file')}\n`;
}
