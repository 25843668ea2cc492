begin;
select plan(1);

create table test.form (address text);
grant all on test.form to public;
select act_as('operator');
insert into test.form select f.address from admin.create_form(organization('alice'), '{}') as f;
select act_as('dba');
select throws_ok(
  format(
    $$select admin.rotate_key(%L, sha256('x'), '1 hour')$$,
    (select k.id from auth.api_key as k where k.scopes = '{form}')
  ),
  'PT409',
  'key_of_form',
  'its secret is encrypted with the token'
);

select * from finish();
rollback;
