/**
 * What each purpose demands of a file, decided in the one pass that also hashes it, in memory that does not grow.
 * `full`: everything; `basic`: size and extension; `off`: only that the file is not empty.
 */
import type { FolderRules } from '../mirror/types.ts';
import { BatchLines } from './batch-lines.ts';
import { EvalsLines } from './evals-lines.ts';
import type { CheckProblem, Finding } from './findings.ts';
import { FineTuneLines } from './fine-tune-lines.ts';
import { ImageContent } from './image-content.ts';
import { JsonLines } from './json-lines.ts';
import type { LineRules } from './line-rules.ts';
import { nameAndSizeProblem } from './name-and-size.ts';

/** The check of one file, fed with its bytes in order. Used for one reading, then thrown away. */
export interface ContentCheck {
  /** Decided without content: empty, too large, wrong extension. Null: nothing against it so far. */
  readonly problem: CheckProblem | null;
  write(chunk: Uint8Array): void;
  end(): { readonly problem: CheckProblem | null; readonly warnings: readonly string[] };
}

/** Everything that a check found. */
export interface Report {
  /** Null: accepted. Otherwise the findings in one line: the first ones, and how many more. */
  readonly problem: CheckProblem | null;
  /** Worth telling, not refused. */
  readonly warnings: readonly string[];
  /** At most 100, in the order of the file. */
  readonly findings: readonly Finding[];
  /** How many findings there were, kept or not. */
  readonly findingsTotal: number;
}

export interface DetailedCheck extends ContentCheck {
  end(): Report;
}

/** What looks at the content: the part of a check behind `nameAndSizeProblem`. */
interface Content {
  write(chunk: Uint8Array): void;
  end(): Report;
}

const LINE_RULES: ReadonlyMap<string, () => LineRules> = new Map<string, () => LineRules>([
  ['batch', () => new BatchLines()],
  ['fine-tune', () => new FineTuneLines()],
  ['evals', () => new EvalsLines()],
]);

/** Makes the check of one file. `sizeBytes`: what will be fed to it. */
export function createCheck(rules: FolderRules, fileName: string, sizeBytes: number): ContentCheck {
  const check = createDetailedCheck(rules, fileName, sizeBytes);
  return {
    problem: check.problem,
    write: (chunk) => check.write(chunk),
    end: () => {
      const { problem, warnings } = check.end();
      return { problem, warnings };
    },
  };
}

/** The same check, with every finding by line. */
export function createDetailedCheck(rules: FolderRules, fileName: string, sizeBytes: number): DetailedCheck {
  const problem = nameAndSizeProblem(rules, fileName, sizeBytes);
  const content =
    problem === null && needsFullRead(rules) ? contentOf(rules.purpose, fileName) : whatever(problem);
  return { problem, write: (chunk) => content.write(chunk), end: () => content.end() };
}

/** True when the rules look at the content, which must be read as a whole before anything is sent. */
export function needsFullRead(rules: FolderRules): boolean {
  return rules.check === 'full' && (LINE_RULES.has(rules.purpose) || rules.purpose === 'vision');
}

function contentOf(purpose: string, fileName: string): Content {
  const lineRules = LINE_RULES.get(purpose);
  return lineRules === undefined ? imageContent(fileName) : linesContent(purpose, lineRules());
}

function linesContent(purpose: string, rules: LineRules): Content {
  const lines = new JsonLines(rules);
  return {
    write: (chunk) => lines.write(chunk),
    end: () => {
      const warnings = lines.end();
      const { findings } = lines;
      return {
        problem: findings.problem(`${purpose}-line`),
        warnings,
        findings: findings.kept,
        findingsTotal: findings.total,
      };
    },
  };
}

function imageContent(fileName: string): Content {
  const image = new ImageContent(fileName);
  return {
    write: (chunk) => image.write(chunk),
    end: () => {
      const { problem, warnings } = image.end();
      return { ...reportOf(problem), warnings };
    },
  };
}

/** Any content will do; what there is to say was said by name and size. */
function whatever(problem: CheckProblem | null): Content {
  return { write: () => undefined, end: () => reportOf(problem) };
}

function reportOf(problem: CheckProblem | null): Report {
  const findings = problem === null ? [] : [{ line: null, ...problem }];
  return { problem, warnings: [], findings, findingsTotal: findings.length };
}
