import { z } from 'zod';
import type { SubmissionId } from '../../contract/batch.ts';
import { Fault } from '../../contract/faults.ts';
import { nameOf, PARTS } from './results-folder.ts';
import type { Part, ResultsFolder, Stem, Written } from './results-folder.ts';
import type { Staging } from './staging.ts';

const written = z.object({ sha256: z.string(), bytes: z.number() });

/** What we wrote for a submission, or were about to write: by that it is known again, and only that is replaced. */
const memory = z.object({
  version: z.literal(1),
  stem: z.string(),
  /** See `nameOf`. */
  number: z.number(),
  parts: z.record(z.enum(PARTS), z.array(written)),
  note: z.string().nullable(),
});

type Memory = z.infer<typeof memory>;

interface Published {
  readonly names: Readonly<Record<Part, string>>;
  /** Why the names are not those that one expects; null: they are. */
  readonly note: string | null;
}

/** A person who fills folders with names faster than we count is none. */
const MAX_NUMBER = 10_000;

/** Which names results get, and that nothing is ever overwritten that is not exactly what we wrote. */
export class ResultNames {
  readonly #folder: ResultsFolder;
  readonly #staging: Staging;

  constructor(folder: ResultsFolder, staging: Staging) {
    this.#folder = folder;
    this.#staging = staging;
  }

  /** Where the results of a submission lie already, whatever became of its path; else `stem`. */
  async stemOf(id: SubmissionId, stem: Stem): Promise<Stem> {
    return (await this.#remembered(id))?.stem ?? stem;
  }

  /**
   * Gives names to what was written aside. `summarize` writes the summary, which knows the names, aside as well. The
   * three share one number: the first from `from` on under which no name is somebody else's.
   */
  async publish(
    id: SubmissionId,
    stem: Stem,
    from: number,
    aside: Readonly<Record<'output' | 'errors', Written | null>>,
    summarize: (names: Readonly<Record<Part, string>>) => Promise<Written>,
  ): Promise<Published> {
    const before = await this.#remembered(id);
    let taken: string | null = null;
    for (let number = before?.number ?? from; number < MAX_NUMBER; number += 1) {
      const names = namesOf(stem, number);
      const contents = { ...aside, batch: await summarize(names) };
      const ours = oursOf(before, number, contents);
      const foreign = await this.#foreignOf(names, contents, ours);
      if (foreign === null) {
        // INVARIANT: durable before the first name is given: after a crash in between, what is there is known again.
        const note = noteOf(taken, names) ?? before?.note ?? null;
        const now: Memory = { version: 1, stem, number, parts: ours, note };
        await this.#staging.note(this.#staging.writtenPath(id), now);
        await this.#nameAll(id, stem, names, contents, ours);
        return { names, note };
      }
      taken ??= foreign;
    }
    throw new RangeError(`${stem}: no name is free`);
  }

  async #foreignOf(
    names: Readonly<Record<Part, string>>,
    contents: Readonly<Record<Part, Written | null>>,
    ours: Memory['parts'],
  ): Promise<string | null> {
    for (const part of PARTS) {
      if (contents[part] === null) continue;
      if ((await this.#folder.look(names[part], ours[part])) === 'foreign') return names[part];
    }
    return null;
  }

  /** The summary comes last: where it lies, the others do. */
  async #nameAll(
    id: SubmissionId,
    stem: Stem,
    names: Readonly<Record<Part, string>>,
    contents: Readonly<Record<Part, Written | null>>,
    ours: Memory['parts'],
  ): Promise<void> {
    for (const part of PARTS) {
      const found = await this.#folder.look(names[part], ours[part]);
      if (contents[part] === null) {
        if (found === 'ours') await this.#folder.remove(names[part]);
        continue;
      }
      const isNamed =
        found !== 'foreign' && (await this.#folder.publish(stem, id, part, names[part], found === 'ours'));
      if (!isNamed) throw takenMeanwhile(names[part]);
    }
  }

  async #remembered(id: SubmissionId): Promise<Memory | null> {
    const { data = null } = memory.safeParse(await this.#staging.read(this.#staging.writtenPath(id)));
    return data;
  }
}

function namesOf(stem: Stem, number: number): Readonly<Record<Part, string>> {
  return {
    output: nameOf(stem, 'output', number),
    errors: nameOf(stem, 'errors', number),
    batch: nameOf(stem, 'batch', number),
  };
}

/** What under these names is ours: what we wrote there, and what we are about to write. */
function oursOf(
  before: Memory | null,
  number: number,
  contents: Readonly<Record<Part, Written | null>>,
): Memory['parts'] {
  const known = (part: Part): Written[] => {
    const mine = before?.number === number ? before.parts[part] : [];
    const content = contents[part];
    return content === null ? mine : [...mine.filter(({ sha256 }) => sha256 !== content.sha256), content];
  };
  return { output: known('output'), errors: known('errors'), batch: known('batch') };
}

function noteOf(taken: string | null, names: Readonly<Record<Part, string>>): string | null {
  return (
    taken &&
    `${taken} is not, or no longer, what was written here: the results are beside it, see ${names.batch}`
  );
}

/** Looked at again, it is somebody else's, and another number is taken. */
function takenMeanwhile(name: string): Fault {
  const details = { disposition: 'retry', outcome: 'refused', rule: 'moved' } as const;
  return new Fault(`${name}: somebody put a file there while the results were written`, details);
}
