local paused = obj.spec.rollout ~= nil and obj.spec.rollout.paused == true
local given_up = false
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "Stalled" and condition.status == "True" then
      local reason = condition.reason
      given_up = reason == "RolledBack" or reason == "Rejected" or reason == "NoHealthyRevision"
    end
  end
end
return {
  ["pause"] = {["disabled"] = paused},
  ["resume"] = {["disabled"] = not paused},
  ["retry"] = {["disabled"] = not given_up},
}
