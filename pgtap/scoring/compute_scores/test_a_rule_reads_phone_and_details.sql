begin;
select plan(1);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "phone": "555 010 0199", "details": {"roof_age": 12, "insured": false}}');
select act_as('operator');
select is(
  (admin.try_scoring_model(organization('alice'), lead('ada@example.com'), null, '{
    "base": 0.1,
    "rules": [
      {"name": "phone", "field": "phone", "label": "phone", "weight": 0.05},
      {"name": "reference", "field": "reference", "label": "reference", "weight": 0.06},
      {"name": "old", "field": "details", "key": "roof_age", "operator": "at_least", "value": 10, "label": "old roof", "weight": 0.2},
      {"name": "new", "field": "details", "key": "roof_age", "operator": "at_most", "value": 3, "label": "new roof", "weight": 0.3},
      {"name": "insured", "field": "details", "key": "insured", "label": "insured", "weight": 0.4},
      {"name": "color", "field": "details", "key": "color", "operator": "absent", "label": "no color", "weight": 0.01}
    ]
  }')).ai_reasoning,
  'old roof (+0.20); phone (+0.05); no color (+0.01)',
  'a number is compared, false counts as absent, and a missing member is absent'
);

select * from finish();
rollback;
