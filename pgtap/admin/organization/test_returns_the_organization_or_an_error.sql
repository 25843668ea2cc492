begin;
select plan(8);

select act_as('operator');
select is((admin.organization(organization('bob'))).name, 'The organization of bob', 'bob''s organization');
select throws_ok(
  $$select admin.organization('00000000-0000-7000-8000-000000000000')$$, 'PT404', 'organization_not_found',
  'an unknown organization'
);
select is(
  hint($$select admin.organization('00000000-0000-7000-8000-000000000000')$$),
  'There is no organization 00000000-0000-7000-8000-000000000000. To list them, run: leads organizations list',
  'the hint'
);
select throws_ok(c.call, 'PT404', 'organization_not_found', c.call)
from (values
  ($$select admin.stages('00000000-0000-7000-8000-000000000000')$$),
  ($$select admin.add_stage('00000000-0000-7000-8000-000000000000', 'x')$$),
  ($$select admin.remove_stage('00000000-0000-7000-8000-000000000000', 'x')$$),
  ($$select admin.create_key('00000000-0000-7000-8000-000000000000', 'read', sha256('x'))$$),
  ($$select admin.load_leads('00000000-0000-7000-8000-000000000000', '[]')$$)
) as c (call);

select * from finish();
rollback;
