// Prints what n8n does not accept in a workflow, a line for each fault:
//   node check_n8n.cjs WORKFLOW NODES
// NODES is dist/types/nodes.json of n8n-nodes-base: the descriptions of its nodes.
const { readFileSync } = require("node:fs");
const { NodeHelpers } = require("n8n-workflow");

const [workflow, types] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")));

function typeOf(node) {
  return types.find(
    (type) => `n8n-nodes-base.${type.name}` === node.type && [type.version].flat().includes(node.typeVersion),
  );
}

// The paths of the values that n8n removes when it reads the parameters.
function removed(written, kept, path) {
  if (typeof written !== "object" || written === null) return written === kept ? [] : [path];
  return Object.keys(written).flatMap((key) => removed(written[key], kept?.[key], `${path}.${key}`));
}

// The parameters whose value is none of the values that can be chosen.
function impossible(type, parameters) {
  return Object.keys(parameters).filter((name) => {
    const choices = type.properties.filter((property) => property.name === name && property.type === "options");
    const values = choices.flatMap((property) => property.options.map((option) => option.value));
    return choices.length > 0 && !values.includes(parameters[name]);
  });
}

function faults(node) {
  const type = typeOf(node);
  if (!type) return [`n8n-nodes-base has no ${node.type} ${node.typeVersion}`];
  // With default values, because whether a parameter is shown can depend on them.
  const kept = NodeHelpers.getNodeParameters(type.properties, node.parameters, true, false, node, type);
  const issues = NodeHelpers.getNodeParametersIssues(type.properties, { ...node, parameters: kept }, type);
  const generic = kept.authentication === "genericCredentialType" ? [kept.genericAuthType] : [];
  const known = [...(type.credentials ?? []).map((credential) => credential.name), ...generic];
  return [
    ...removed(node.parameters, kept, "parameters").map((path) => `${path} is unknown`),
    ...impossible(type, node.parameters).map((name) => `parameters.${name} has a value that cannot be chosen`),
    ...Object.values(issues?.parameters ?? {}).flat(),
    ...Object.keys(node.credentials ?? {})
      .filter((name) => !known.includes(name))
      .map((name) => `the credential ${name} is unknown`),
  ];
}

for (const node of workflow.nodes) for (const fault of faults(node)) console.log(`${node.name}: ${fault}`);
for (const [name, { main }] of Object.entries(workflow.connections))
  for (const to of [name, ...main.flat().map((connection) => connection.node)])
    if (!workflow.nodes.some((node) => node.name === to)) console.log(`connections: there is no node ${to}`);
