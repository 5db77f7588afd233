import type { HaltName } from '../../contract/types.ts';
import type { Topic } from './worklist.ts';

/** For a file that does not fit: signalled when there is more room than there was. */
export const STORAGE: Topic = 'storage';
/** Signalled when it is known that the recorded ids are of this project. */
export const WHOSE_IDS: Topic = 'whose the ids are';
/** For a path that needs an answer of the API before anything else: given to the next one when another has it. */
export const ANSWER: Topic = 'an answer';

/** Signalled when this halt ends. */
export function endOf(halt: HaltName): Topic {
  return `the end of ${halt}`;
}
