begin;
select plan(19);

-- A value of each kind, with and without a fault, in every field that a client can send and in others.
create table test.body as
select
  b.fields,
  app.plain_lead(test.organization('alice'), b.fields, true) as plain,
  app.lead_faults(test.organization('alice'), b.fields) as faults
from (
  select jsonb_build_object(f.field, v.value) as fields
  from (
    select l.name as field from app.lead_field as l
    union all
    values ('id'), ('created_at'), ('x'), ('Name'), ('')
  ) as f (field)
  cross join (values
    (to_jsonb('a'::text)), ('"google_ads"'), ('"ada@example.com"'), ('"new"'), ('"won"'), ('"nowhere"'), ('""'), ('" "'),
    (to_jsonb(' a'::text)), (to_jsonb('a '::text)), (to_jsonb(E'a\nb'::text)), (to_jsonb(E'a\n'::text)),
    (to_jsonb(E'a\u0001b'::text)), (to_jsonb(E'a\u0085b'::text)), (to_jsonb(U&'\200Ba'::text)), (to_jsonb(U&'a\FEFF'::text)),
    (to_jsonb(U&'\2764\FE0F'::text)), (to_jsonb(U&'J\00F6rg'::text)), (to_jsonb(U&'\+01F600'::text)),
    (to_jsonb(U&'ada@b\00FCcher.example'::text)), (to_jsonb('Ada@Example.com'::text)), (to_jsonb(repeat('a', 64))),
    (to_jsonb(repeat('a', 65))), (to_jsonb(repeat('a', 128))), (to_jsonb(repeat('a', 129))), (to_jsonb(repeat('a', 255))),
    (to_jsonb(repeat('a', 256))), (to_jsonb(repeat('a', 10000))), (to_jsonb(repeat('a', 10001))),
    ('null'), ('0'), ('100'), ('87.0'), ('1e2'), ('-1'), ('101'), ('0.5'), ('1e131071'), ('true'), ('[]'), ('["a"]'), ('{}'),
    ('{"a": 1}')
  ) as v (value)
) as b;

select is_empty(
  'select b.fields from test.body as b where not b.plain is null and b.faults is not null', 'no lead with a fault is plain'
);
select is_empty(
  $$
    select b.fields
    from test.body as b
    where not b.plain is null and b.plain is distinct from app.lead_from(b.fields, null)
  $$,
  'a plain lead is what app.lead_from reads'
);
select cmp_ok((select count(*) from test.body as b where not b.plain is null), '>', 100::bigint, 'many are plain');

select is(
  (app.plain_lead(
    test.organization('alice'),
    '{"name": "Sarah Mitchell", "email": "sarah.mitchell@example.com", "source": "website", "lead_score": 87,
      "pipeline_stage": "won", "pain_points": "Moisture in the basement.\nSince spring.", "timeline": null, "phone": "(555) 010-0199"}',
    true
  )).email,
  'sarah.mitchell@example.com',
  'an ordinary lead is plain'
);
select ok(
  not app.plain_lead(test.organization('alice'), jsonb_build_object(f.name, v.value), true) is null,
  f.name || ': the maximum length is plain'
)
from app.lead_field as f
cross join lateral (
  select to_jsonb(case f.kind
    when 'email' then repeat('a', 64) || '@example.com'
    when 'stage' then 'won'
    when 'phone' then rpad('911', 64, '.')
    else repeat('a', f.max_length)
  end) as value
) as v
where f.kind not in ('score', 'details');
select ok(app.plain_lead(test.organization('alice'), '{"name": "Ada", "x": "a"}', true) is null, 'another field is not plain');
select ok(
  app.plain_lead(test.organization('alice'), '{"name": "Ada", "phone": "911"}', false) is null, 'a change has no phone'
);

select * from finish();
rollback;
