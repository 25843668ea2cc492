-- scoring.default_model - the models of an organization that has none of its own.
set local role leads_owner;
-- To change the model, add a new version at the end. The history of scores names versions, so a
-- trigger refuses to change the document of a version.
insert into scoring.default_model (version, document)
values
  (1, $${
    "base": 0.55,
    "rescore_on_signal": false,
    "rules": [
      {
        "name": "storm_event", "signal": "storm_event", "label": "Recent storm event in service radius",
        "weight": 0.18, "half_life_hours": 72
      },
      {"name": "phone_validated", "signal": "phone_validated", "label": "phone validated", "weight": 0.10},
      {
        "name": "fast_form_completion", "signal": "fast_form_completion", "label": "fast form completion",
        "weight": 0.08
      },
      {"name": "email_bounced", "signal": "email_bounced", "label": "email bounced", "weight": -0.15}
    ]
  }$$)
on conflict (version) do update set document = excluded.document
where default_model.document is distinct from excluded.document;
