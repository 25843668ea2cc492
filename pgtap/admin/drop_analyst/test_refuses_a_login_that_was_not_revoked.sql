begin;
select plan(12);

select act_as('dba');
create role somebody nologin;
create role member login in role leads_bi;
create role chief nologin createrole in role leads_bi;
select make_analyst('ana');
select throws_ok(format('select admin.drop_analyst(%L)', r.login), 'PT409', 'analyst_not_revoked', r.login)
from (values (login('ana')), ('somebody'), ('member'), ('chief'), ('leads_owner'), ('leads_bi')) as r (login);
select ok(hint(format('select admin.drop_analyst(%L)', r.login)) like r.expected, r.login || ': what to do')
from (values
  (login('ana'), '%Run: leads bi revoke ' || login('ana')),
  ('member', '%Run: leads bi revoke member'),
  -- leads bi revoke has done what it can, and would say the same again.
  ('somebody', '%isn''t a member of leads_bi%drop owned by somebody; drop role somebody;'),
  ('chief', '%may create roles%drop owned by chief; drop role chief;')
) as r (login, expected);
select act_as('dba');
do $$
begin
  execute format('alter role %I nologin', login('ana'));
end
$$;
select act_as('migrator');
select throws_ok(
  $$select admin.drop_analyst(login('ana'))$$, 'PT409', 'analyst_not_revoked', 'set to NOLOGIN by hand and still bound'
);
select has_role(login('ana')::name, 'ana''s login still exists');

select * from finish();
rollback;
