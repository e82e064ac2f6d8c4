// Serves flags from a payload with a Node SDK. Standard input: {sdk, payload, flags: [[type, key]], units: [[id,
// attributes]]}; standard output: one list of values a flag, in the order of the units. "schema" only says whether
// flagd's published schema, as its SDK carries it, accepts the payload.
"use strict";
const http = require("http");

const FALLBACK = { boolean: false, string: "-", integer: -1, number: -1, json: {} };

async function ufc(payload) {
  const server = http.createServer((_, answer) => answer.end(payload));
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const sdk = require("@eppo/node-server-sdk");
  const client = await sdk.init({
    apiKey: "offline",
    baseUrl: `http://127.0.0.1:${server.address().port}`,
    assignmentLogger: { logAssignment() {} },
  });
  client.stopPolling();
  server.closeAllConnections();
  server.close();
  const get = {
    boolean: "getBooleanAssignment",
    string: "getStringAssignment",
    integer: "getIntegerAssignment",
    number: "getNumericAssignment",
    json: "getJSONAssignment",
  };
  return {
    serve: (type, key, unit, attributes) => client[get[type]](key, unit, attributes, FALLBACK[type]),
    precomputed: (unit, attributes) => client.getPrecomputedConfiguration(unit, attributes),
  };
}

function growthbook(payload) {
  const { GrowthBook } = require("@growthbook/growthbook");
  const client = new GrowthBook({ features: JSON.parse(payload).features });
  return {
    serve: (type, key, unit, attributes) => {
      client.setAttributes({ id: unit, ...attributes });
      return client.getFeatureValue(key, FALLBACK[type]);
    },
  };
}

function flagd(payload) {
  const { FlagdCore } = require("@openfeature/flagd-core");
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const core = new FlagdCore(undefined, silent);
  core.setConfigurations(payload);
  const get = {
    boolean: "resolveBooleanEvaluation",
    string: "resolveStringEvaluation",
    integer: "resolveNumberEvaluation",
    number: "resolveNumberEvaluation",
    json: "resolveObjectEvaluation",
  };
  return {
    serve: (type, key, unit, attributes) => {
      const context = unit === null ? attributes : { targetingKey: unit, ...attributes };
      return core[get[type]](key, FALLBACK[type], context, silent).value ?? FALLBACK[type];
    },
  };
}

function schema(payload) {
  const { MemoryStorage } = require("@openfeature/flagd-core");
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  new MemoryStorage(silent).setConfigurations(payload, true);
  return {};
}

async function main() {
  const text = require("fs").readFileSync(0, "utf8");
  const { sdk, payload, flags, units } = JSON.parse(text);
  const client = await { ufc, growthbook, flagd, schema }[sdk](payload);
  const values = flags.map(([type, key]) =>
    units.map(([unit, attributes]) =>
      type === "precomputed" ? client.precomputed(unit, attributes) : client.serve(type, key, unit, attributes),
    ),
  );
  process.stdout.write(JSON.stringify(values), () => process.exit(0));
}

main().catch((error) => {
  process.stderr.write(String(error.message ?? error));
  process.exit(1);
});
