'use strict';
// As much of better-sqlite3 as omniroute needs, on the SQLite that Node brings along: its native half would have to be
// built for minutes, and breaks Node 24 when it is collected.
const { DatabaseSync } = require('node:sqlite');

class Statement {
  #statement;
  #plucks = false;

  constructor(database, sql) {
    this.source = sql;
    this.database = database;
    this.#statement = database.raw.prepare(sql);
    this.#statement.setAllowUnknownNamedParameters(true);
    this.reader = this.#statement.columns().length > 0;
  }

  get(...values) {
    const row = this.#statement.get(...flat(values));
    return row === undefined ? undefined : this.#shown(row);
  }

  all(...values) {
    return this.#statement.all(...flat(values)).map((row) => this.#shown(row));
  }

  *iterate(...values) {
    yield* this.all(...values);
  }

  run(...values) {
    return this.#statement.run(...flat(values));
  }

  pluck() {
    this.#plucks = true;
    return this;
  }

  columns() {
    return this.#statement.columns();
  }

  #shown(row) {
    for (const [name, value] of Object.entries(row))
      if (value instanceof Uint8Array) row[name] = Buffer.from(value);
    return this.#plucks ? Object.values(row)[0] : { ...row };
  }
}

/** Values may come as one list, or as one object by name; what is undefined is stored as NULL. */
function flat(values) {
  const list = values.length === 1 && Array.isArray(values[0]) ? values[0] : values;
  return list.map((value) => {
    if (value === undefined) return null;
    const isNamed = value !== null && typeof value === 'object' && !ArrayBuffer.isView(value);
    return isNamed
      ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, one ?? null]))
      : value;
  });
}

class Database {
  constructor(file, { readonly = false } = {}) {
    this.name = file;
    this.readonly = readonly;
    this.open = true;
    this.raw = new DatabaseSync(file, { readOnly: readonly });
  }

  get inTransaction() {
    return this.raw.isTransaction;
  }

  prepare(sql) {
    return new Statement(this, sql);
  }

  exec(sql) {
    this.raw.exec(sql);
    return this;
  }

  pragma(text, { simple = false } = {}) {
    const rows = this.raw.prepare(`PRAGMA ${text}`).all();
    return simple ? Object.values(rows[0] ?? {})[0] : rows;
  }

  transaction(act) {
    const run = (...args) => {
      const nested = this.raw.isTransaction;
      this.raw.exec(nested ? 'SAVEPOINT nested' : 'BEGIN');
      try {
        const result = act(...args);
        this.raw.exec(nested ? 'RELEASE nested' : 'COMMIT');
        return result;
      } catch (error) {
        this.raw.exec(nested ? 'ROLLBACK TO nested; RELEASE nested' : 'ROLLBACK');
        throw error;
      }
    };
    return Object.assign(run, { deferred: run, immediate: run, exclusive: run });
  }

  async backup() {}

  close() {
    if (this.open) this.raw.close();
    this.open = false;
    return this;
  }
}

module.exports = Database;
module.exports.SqliteError = class SqliteError extends Error {};
