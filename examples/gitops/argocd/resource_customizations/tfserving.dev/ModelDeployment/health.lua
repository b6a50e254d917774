-- Healthy means proven: the version of the spec serves and its bake is over. Degraded says why not.
local health = {status = "Progressing", message = "the operator has not looked at this generation of the spec yet"}
local status = obj.status
if obj.metadata.deletionTimestamp ~= nil then
  health.message = "being deleted"
  return health
end
if status == nil or status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
local found = {}
for _, condition in ipairs(status.conditions) do
  found[condition.type] = condition
end
local told = found.Ready
if found.Stalled ~= nil and found.Stalled.status == "True" then
  health.status = "Degraded"
  told = found.Stalled
elseif told ~= nil and told.status == "True" then
  health.status = "Healthy"
elseif status.phase == "Paused" or status.phase == "ScaledToZero" then
  health.status = "Suspended"
end
if told ~= nil then
  health.message = told.reason
  if told.message ~= nil and told.message ~= "" then
    health.message = told.reason .. ": " .. told.message
  end
end
return health
