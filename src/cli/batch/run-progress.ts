import type { AppEvent } from '../../contract/app-event.ts';
import type { BatchView } from '../../contract/batch-report.ts';
import { formatDuration } from '../../contract/quantities.ts';
import { printable } from '../../contract/shown-text.ts';
import { batchText } from '../../service/batch-text.ts';
import { tell, type Io } from '../io.ts';

const LOOK_MS = 250;
const COLUMNS = 80;

/** How far a run is: on a terminal one line that is drawn anew, elsewhere a line when its state changes. */
export class RunProgress implements Disposable {
  readonly #io: Io;
  readonly #name: string;
  readonly #look: () => BatchView | null;
  readonly #beganMs = performance.now();
  readonly #timer: NodeJS.Timeout | null;
  #isDrawn = false;
  #told = '';

  /** `quiet`: only what a person must know. */
  constructor(io: Io, name: string, quiet: boolean, look: () => BatchView | null) {
    this.#io = io;
    this.#name = printable(name);
    this.#look = look;
    this.#timer = quiet ? null : setInterval(() => this.#show(), LOOK_MS);
  }

  readonly listener = (event: AppEvent): void => {
    if (event.kind === 'warning') this.say(printable(event.message));
    else if (event.kind === 'failed') this.say(`${this.#name}: ${printable(event.message)}`);
    else if (event.kind === 'halted') this.say(`${event.name}: ${printable(event.cause)}`);
    else if (event.kind === 'batch-submitted' && this.#timer !== null) {
      const what = event.generation === 0 ? this.#name : 'the lines that are tried again';
      this.say(`${event.found ? 'found' : 'submitted'} ${what} as ${printable(event.batch)}`);
    }
  };

  /** A line that stays. */
  say(line: string): void {
    this.#clear();
    tell(this.#io, line);
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#clear();
  }

  #show(): void {
    const view = this.#look();
    const text = view === null ? 'is being uploaded' : batchText(view, Date.now() / 1_000);
    if (this.#io.stderrIsTerminal) return this.#draw(text, view);
    const state = view === null ? text : `${view.state} ${view.status} ${view.generation} ${view.hold?.why}`;
    if (state === this.#told) return;
    this.#told = state;
    tell(this.#io, `${this.#name}: ${text}`);
  }

  #draw(text: string, view: BatchView | null): void {
    // Some terminals say 0.
    const columns = (this.#io.stderr as { readonly columns?: number }).columns || COLUMNS;
    const failed = view?.counts?.failed ?? 0;
    const seconds = Math.floor((performance.now() - this.#beganMs) / 1_000);
    const parts = [
      text,
      ...(failed > 0 ? [`${failed} failed`] : []),
      ...(seconds > 0 ? [`${formatDuration(seconds * 1_000)} so far`] : []),
    ];
    const line = `${this.#name}: ${parts.join(', ')}`;
    if (this.#isDrawn && line === this.#told) return;
    this.#io.stderr.write(`\r\u001b[K${line.slice(0, columns - 1)}`);
    this.#isDrawn = true;
    this.#told = line;
  }

  #clear(): void {
    if (this.#isDrawn) this.#io.stderr.write('\r\u001b[K');
    this.#isDrawn = false;
  }
}
