begin;
select plan(7);

select act_as('operator');
select throws_ok($$select admin.add_stage(organization('alice'), 'won')$$, 'PT409', 'stage_exists', 'an existing name');
select is(
  hint($$select admin.add_stage(organization('alice'), 'won')$$), 'The organization already has a stage "won".',
  'the hint'
);
select throws_ok(
  format('select admin.add_stage(organization(''alice''), %L)', c.name), 'PT422', 'invalid_name',
  coalesce(quote_literal(c.name), 'null')
)
from (values ('Won'), (' won'), (''), (null), (repeat('a', 65))) as c (name);

select * from finish();
rollback;
