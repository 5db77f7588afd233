/**
 * What each purpose demands of a file, decided in the one pass that also hashes it, holding one line at a time.
 * `full`: everything; `lines`: that every line is a JSON object; `basic`: size and extension; `off`: only that the file
 * is not empty.
 */
import type { CheckProblem, CheckVerdict } from '../contract/content-check.ts';
import type { FolderRules } from '../contract/types.ts';
import { BatchLines, OPENAI_REQUESTS } from './batch-lines.ts';
import { EvalsLines } from './evals-lines.ts';
import type { Finding } from './findings.ts';
import { FineTuneLines } from './fine-tune-lines.ts';
import { ImageContent } from './image-content.ts';
import { JsonLines } from './json-lines.ts';
import { AnyLines, type LineRules } from './line-rules.ts';
import { nameAndSizeProblem, nameWarnings } from './name-and-size.ts';

/** Everything that a check found. */
export interface Report extends CheckVerdict {
  /** At most 100, in the order of the file. */
  readonly findings: readonly Finding[];
  /** How many findings there were, kept or not. */
  readonly findingsTotal: number;
}

/** The check of one file, fed with its bytes in order. Used for one reading, then thrown away. */
export interface DetailedCheck {
  /** Decided without content: empty, too large, wrong extension. Null: nothing against it so far. */
  readonly problem: CheckProblem | null;
  write(chunk: Uint8Array): void;
  end(): Report;
}

/** What looks at the content: the part of a check behind `nameAndSizeProblem`. */
type Content = Omit<DetailedCheck, 'problem'>;

type CreateLineRules = (rules: FolderRules) => LineRules;

const LINE_RULES: ReadonlyMap<string, CreateLineRules> = new Map<string, CreateLineRules>([
  ['batch', ({ requests }) => new BatchLines({ ...OPENAI_REQUESTS, ...requests })],
  ['fine-tune', () => new FineTuneLines()],
  ['evals', () => new EvalsLines()],
]);

/** Makes the check of one file, with every finding by line. `sizeBytes`: what will be fed to it. */
export function createDetailedCheck(rules: FolderRules, fileName: string, sizeBytes: number): DetailedCheck {
  const problem = nameAndSizeProblem(rules, fileName, sizeBytes);
  const content = problem === null ? contentOf(rules, fileName) : whatever(problem);
  return {
    problem,
    write: (chunk) => content.write(chunk),
    end: () => {
      const report = content.end();
      return { ...report, warnings: [...nameWarnings(rules, fileName), ...report.warnings] };
    },
  };
}

/** True when the rules look at the content, which must be read as a whole before anything is sent. */
export function needsFullRead(rules: FolderRules): boolean {
  return lineRulesOf(rules) !== null || looksAtImages(rules);
}

function contentOf(rules: FolderRules, fileName: string): Content {
  const create = lineRulesOf(rules);
  if (create !== null) return linesContent(rules.purpose, create(rules));
  return looksAtImages(rules) ? imageContent(fileName) : whatever(null);
}

function lineRulesOf({ check, purpose }: FolderRules): CreateLineRules | null {
  if (check === 'lines') return () => new AnyLines();
  return check === 'full' ? (LINE_RULES.get(purpose) ?? null) : null;
}

function looksAtImages({ purpose, check }: FolderRules): boolean {
  return purpose === 'vision' && check === 'full';
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
