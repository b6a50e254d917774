-- Another token lifts the quarantine of what was rejected; a generation is never the same twice.
if obj.spec.rollout == nil then
  obj.spec.rollout = {}
end
obj.spec.rollout.retryToken = "argocd-" .. obj.metadata.generation
return obj
