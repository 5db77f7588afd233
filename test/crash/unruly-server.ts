/** A server as it is on a bad day: it fails before, while and after it does what it was asked for. */
import type { FaultAct, FaultInjector } from '../support/fault-injection.ts';
import { badGateway, rateLimited, serverError } from '../support/fault-presets.ts';
import type { SimRandom } from '../support/sim/sim-random.ts';

/** How long a new file is missing from lists: shorter than the mirror is patient. */
const listLagMs = 1_000;

export function makeUnruly(faults: FaultInjector, random: SimRandom): void {
  const sometimes = (method: string, probability: number, act: FaultAct): void => {
    faults.add({ match: (request) => request.method === method && random.chance(probability), act });
  };
  faults.add({ match: { method: 'GET' }, act: { kind: 'list-lag', ms: listLagMs, retrieve: true } });
  // Stored, and the client is not told.
  sometimes('POST', 0.02, { kind: 'reset', at: 'handled' });
  sometimes('POST', 0.02, serverError('handled'));
  sometimes('POST', 0.005, badGateway('handled'));
  sometimes('POST', 0.002, { kind: 'truncate', keepBytes: 20 });
  // Not stored.
  sometimes('POST', 0.005, { kind: 'reset', at: { afterFraction: 0.5 } });
  sometimes('POST', 0.005, serverError('body'));
  sometimes('POST', 0.01, rateLimited({ milliseconds: 100 }));
  // Slow, so that deaths come in between.
  sometimes('POST', 0.05, { kind: 'delay', at: 'body', ms: 200 });
  sometimes('POST', 0.05, { kind: 'delay', at: 'handled', ms: 200 });
  sometimes('DELETE', 0.02, serverError('handled'));
  sometimes('DELETE', 0.02, { kind: 'reset', at: 'handled' });
  sometimes('DELETE', 0.05, { kind: 'delay', at: 'handled', ms: 200 });
  sometimes('GET', 0.05, serverError('arrival'));
}
