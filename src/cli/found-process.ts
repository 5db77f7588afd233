import type { Config } from '../config/config.ts';
import { connectDaemon, isNoAnswer, type DaemonClient } from '../service/control-client.ts';
import type { Compose } from './context.ts';

/** The process that holds a mirror, as others see it. */
export type Holder = NonNullable<Awaited<ReturnType<Compose['findHolder']>>>;

/** What is at work on a mirror now. */
export type FoundProcess =
  | { readonly kind: 'daemon'; readonly daemon: DaemonClient }
  /** A daemon is there, and answers nobody. `holder` null: it could not be made out which. */
  | { readonly kind: 'silent'; readonly holder: Holder | null }
  /** A process that takes no questions, e.g. `sync`; or a daemon that is just starting or ending. */
  | { readonly kind: 'busy'; readonly holder: Holder }
  | { readonly kind: 'none' };

/** Throws `Fault` when a daemon is there that may not be asked. */
export async function findProcess(
  { stateDir }: Config,
  compose: () => Promise<Pick<Compose, 'findHolder'>>,
): Promise<FoundProcess> {
  const holderNow = async (): Promise<Holder | null> => await (await compose()).findHolder(stateDir);
  try {
    const daemon = await connectDaemon(stateDir);
    if (daemon !== null) return { kind: 'daemon', daemon };
  } catch (error) {
    if (isNoAnswer(error)) return { kind: 'silent', holder: await holderNow() };
    throw error;
  }
  const holder = await holderNow();
  return holder === null ? { kind: 'none' } : { kind: 'busy', holder };
}

/** E.g. `the daemon (pid 12) does not answer`, `sync (pid 12) is at work`, `no daemon runs`. */
export function runningText(found: Exclude<FoundProcess, { kind: 'daemon' }>): string {
  if (found.kind === 'none') return 'no daemon runs';
  const { holder } = found;
  const who = holder === null ? '' : ` (${placeOf(holder)})`;
  if (found.kind === 'silent') return `the daemon${who} does not answer`;
  const verb = found.holder.verb ?? 'another files-mirror';
  return verb === 'run' ? `the daemon${who} is starting or ending` : `${verb}${who} is at work`;
}

/** What can be done about a daemon that does not answer. */
export function nextFor({ holder }: Extract<FoundProcess, { kind: 'silent' }>): string {
  if (holder === null || holder.isForeign) return 'wait, or restart it; nothing is lost by that';
  if (holder.isStopped) return `it was stopped by a signal; let it go on with: kill -CONT ${holder.pid}`;
  return `wait, or end it and start it again; nothing is lost by that: kill -9 ${holder.pid}`;
}

function placeOf({ pid, isForeign }: Holder): string {
  return `pid ${pid}${isForeign ? ', in another container or host' : ''}`;
}
